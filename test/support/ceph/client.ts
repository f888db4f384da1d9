import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { runProcess } from "../program/processes.js";

/** An object as the independent client writes it. */
export interface ObjectToWrite {
  readonly namespace?: string | Uint8Array;
  readonly locator?: string | Uint8Array;
  readonly name: string | Uint8Array;
  /** So many random bytes, in place of `data`. */
  readonly size?: number;
  readonly data?: string | Uint8Array;
  /** Seconds since 1970. An object with an mtime has only data. */
  readonly mtime?: number;
  /** Where the data begins, after a hole. */
  readonly offset?: number;
  readonly xattrs?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  readonly omap?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  /** So many entries, made by the client. */
  readonly omapEntries?: number;
}

const CLIENT = fileURLToPath(
  new URL("../../../../test/support/ceph/ceph_client.py", import.meta.url),
);

function hex(bytes: string | Uint8Array): string {
  return Buffer.from(bytes as string).toString("hex");
}

async function client(
  command: string,
  pools: readonly string[],
  input = "",
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const args = [CLIENT, command, ...pools];
  const { code, stdout, stderr } = await runProcess("/usr/bin/python3", args, { input, env });
  if (code !== 0) throw new Error(`ceph_client ${command}: ${stderr}`);
  return stdout.toString();
}

/** Makes pools under names of their own. */
export async function makePools(
  count: number,
  kind: "replicated" | "erasure" = "replicated",
): Promise<string[]> {
  // Not the process id: test files share one process.
  const names = Array.from({ length: count }, () => `test-${randomUUID()}`);
  await client(kind === "erasure" ? "make-erasure" : "make", names);
  return names;
}

export async function dropPools(names: readonly string[]): Promise<void> {
  await client("drop", names);
}

/** Replaces a pool by an empty one of the same name, synchronously. */
export function remakePoolNow(name: string): void {
  for (const command of ["drop", "make"]) {
    execFileSync("/usr/bin/python3", [CLIENT, command, name]);
  }
}

/** Sends a command to the monitors, like the `ceph` program. @param env of another cluster */
export async function tellMonitors(
  command: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await client("mon", [], JSON.stringify(command), env);
}

/** @param env of another cluster */
export async function writeObjects(
  pool: string,
  objects: readonly ObjectToWrite[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const lines = objects.map((object) =>
    JSON.stringify({
      ...object,
      namespace: hex(object.namespace ?? ""),
      locator: hex(object.locator ?? ""),
      name: hex(object.name),
      ...(object.data === undefined ? {} : { data: hex(object.data) }),
      xattrs: (object.xattrs ?? []).map((pair) => pair.map(hex)),
      omap: (object.omap ?? []).map((pair) => pair.map(hex)),
    }),
  );
  await client("write", [pool], lines.join("\n"), env);
}

export async function removeObjects(
  pool: string,
  objects: readonly Pick<ObjectToWrite, "namespace" | "locator" | "name">[],
): Promise<void> {
  const lines = objects.map(({ namespace = "", locator = "", name }) =>
    JSON.stringify({ namespace: hex(namespace), locator: hex(locator), name: hex(name) }),
  );
  await client("remove", [pool], lines.join("\n"));
}

/** Writes the first byte of an object again and again, until the returned function is called. */
export function keepChanging(pool: string, name: string): () => Promise<void> {
  const child = spawn("/usr/bin/python3", [CLIENT, "write", pool], {
    stdio: ["pipe", "ignore", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.stdin.on("error", () => {});
  const line = JSON.stringify({ namespace: "", locator: "", name: hex(name), data: "00" });
  const many = `${line}\n`.repeat(100);
  const more = (): void => {
    while (child.stdin.write(many));
  };
  child.stdin.on("drain", more);
  more();
  return async () => {
    child.kill("SIGKILL");
    await ended;
  };
}

/** All objects of a pool, sorted, each as a line of JSON. */
export async function dumpPool(
  pool: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  return (await client("dump", [pool], "", env)).split("\n").filter((line) => line !== "");
}
