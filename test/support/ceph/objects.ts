import { packNames } from "../../../src/sources/ceph/name-batch.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { ObjectName, Pair, ReadFailure, ReadObject } from "../../../src/sources/ceph/types.js";
import { NEVER } from "./load.js";

/** Reads objects, with memory for all of them. Releases none. */
export async function readAll(
  pool: CephPool,
  names: readonly ObjectName[],
): Promise<{ objects: ReadObject[]; vanished: ObjectName[]; failures: ReadFailure[] }> {
  const all = {
    objects: [] as ReadObject[],
    vanished: [] as ObjectName[],
    failures: [] as ReadFailure[],
  };
  for await (const group of pool.read([packNames(names)], {
    memoryBytes: 1 << 30,
    signal: NEVER,
  })) {
    all.objects.push(...group.objects);
    all.vanished.push(...group.vanished);
    all.failures.push(...group.failures);
  }
  return all;
}

/** All data of an object: what it came with, and its other pages. */
export async function dataOf(pool: CephPool, object: ReadObject): Promise<Buffer> {
  const { data, size, version } = object;
  const pieces = [Buffer.from(Buffer.from(data.memory, data.offset, data.length))];
  const rest = { offset: data.length, size, version, signal: NEVER };
  for await (const page of pool.readData(object, rest)) {
    pieces.push(Buffer.from(Buffer.from(page.memory, page.offset, page.length)));
    page.release();
  }
  return Buffer.concat(pieces);
}

/** Likewise its whole omap. */
export async function omapOf(pool: CephPool, object: ReadObject): Promise<Pair[]> {
  const pairs = [...object.omap];
  const after = pairs.at(-1)?.[0];
  if (!object.omapMore || after === undefined) return pairs;
  const { version } = object;
  for await (const page of pool.readOmap(object, { after, version, signal: NEVER }))
    pairs.push(...page);
  return pairs;
}
