import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { runProcess } from "../program/processes.js";

/** An object as the independent client writes and reads it. Bytes are hexadecimal. */
export interface ObjectToWrite {
  readonly namespace?: string | Uint8Array;
  readonly locator?: string | Uint8Array;
  readonly name: string | Uint8Array;
  /** Random bytes; or `data`. */
  readonly size?: number;
  readonly data?: string | Uint8Array;
  /** Seconds since 1970, where the client gives the object a time itself; then it has data alone. */
  readonly mtime?: number;
  /** Where the data begins; before it is a hole. */
  readonly offset?: number;
  readonly xattrs?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  readonly omap?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  /** This many entries made by the client. */
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

/** Makes pools with names that no other test has. */
export async function makePools(
  count: number,
  kind: "replicated" | "erasure" = "replicated",
): Promise<string[]> {
  // Test files share one process: its id would not tell them apart.
  const names = Array.from({ length: count }, () => `test-${randomUUID()}`);
  await client(kind === "erasure" ? "make-erasure" : "make", names);
  return names;
}

export async function dropPools(names: readonly string[]): Promise<void> {
  await client("drop", names);
}

/** Removes a pool and makes an empty one of its name, while nothing else of this process happens. */
export function remakePoolNow(name: string): void {
  for (const command of ["drop", "make"]) {
    execFileSync("/usr/bin/python3", [CLIENT, command, name]);
  }
}

/** Tells the monitors something, as the `ceph` program would; of another cluster with `env`. */
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

/** Writes the first byte of an object again and again, until the function that it returns is called. */
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

/** Everything that a pool holds, a line of JSON for each object, in one order. */
export async function dumpPool(
  pool: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  return (await client("dump", [pool], "", env)).split("\n").filter((line) => line !== "");
}
