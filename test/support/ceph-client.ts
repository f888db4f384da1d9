import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { runProcess } from "./processes.js";

/** An object as the independent client writes and reads it. Bytes are hexadecimal. */
export interface ObjectToWrite {
  readonly namespace?: string | Uint8Array;
  readonly locator?: string | Uint8Array;
  readonly name: string | Uint8Array;
  /** Random bytes; or `data`. */
  readonly size?: number;
  readonly data?: string | Uint8Array;
  /** Where the data begins; before it is a hole. */
  readonly offset?: number;
  readonly xattrs?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  readonly omap?: readonly (readonly [string | Uint8Array, string | Uint8Array])[];
  /** This many entries made by the client. */
  readonly omapEntries?: number;
}

const CLIENT = fileURLToPath(new URL("../../../test/support/ceph_client.py", import.meta.url));

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

/** Tells the monitors something, as the `ceph` program would; of another cluster with `env`. */
export async function tellMonitors(
  command: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  await client("mon", [], JSON.stringify(command), env);
}

export async function writeObjects(pool: string, objects: readonly ObjectToWrite[]): Promise<void> {
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
  await client("write", [pool], lines.join("\n"));
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

/** Everything that a pool holds, a line of JSON for each object, in one order. */
export async function dumpPool(pool: string): Promise<string[]> {
  return (await client("dump", [pool])).split("\n").filter((line) => line !== "");
}
