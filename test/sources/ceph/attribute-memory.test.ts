import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { PoolTargets } from "../../../src/operations/restore/objects.js";
import { SharedMemory } from "../../../src/threads/shared-memory.js";
import type { CephCluster } from "../../../src/sources/ceph/cluster.js";
import type { LibradosCluster, ReadAttributes } from "../../../src/sources/ceph/librados.js";
import { nameAt, packNames } from "../../../src/sources/ceph/name-batch.js";
import { FIRST_PAIRS } from "../../../src/sources/ceph/pairs.js";
import { ObjectReads } from "../../../src/sources/ceph/object-reads.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { WriteObject } from "../../../src/sources/ceph/types.js";
import { NEVER, objectName, objectOf } from "../../support/ceph/load.js";

const MEMORY = 64 << 20;

interface Peaks {
  objects: number;
  bytes: number;
}

/** A pool whose object `i` has an omap of `pairs(i)` pairs. Counts what was asked for and is not yet consumed. */
class PoolOfOmaps {
  readonly peak: Peaks = { objects: 0, bytes: 0 };
  readonly #out: Peaks = { objects: 0, bytes: 0 };
  readonly #value: Buffer;
  readonly #pairs: (index: number) => number;

  constructor(valueBytes: number, pairs: (index: number) => number) {
    this.#value = Buffer.alloc(valueBytes);
    this.#pairs = pairs;
  }

  /** Reads all objects. Returns how many pairs each came with; a page at most. */
  async read(count: number): Promise<Map<string, number>> {
    const seen = new Map<string, number>();
    const native = { read: this.#answer.bind(this) } as Partial<LibradosCluster> as LibradosCluster;
    const handle = { native, number: 0, id: 1, name: "pool", alignment: 0 };
    const reads = new ObjectReads(
      { ...handle, memory: new SharedMemory() },
      { memoryBytes: MEMORY, signal: NEVER },
    );
    const names = packNames(Array.from({ length: count }, (_, i) => objectName(`${i}`)));
    const batches = async function* () {
      yield names;
    };
    for await (const { objects } of reads.run(batches())) {
      // Slower than the answers, which pile up if the reader lets them.
      await sleep(3);
      for (const object of objects) {
        const name = Buffer.from(object.name).toString();
        seen.set(name, (seen.get(name) ?? 0) + object.omap.length);
        this.#count(-1, -object.omap.length * this.#value.length);
        object.release();
      }
    }
    return seen;
  }

  #answer(...[, packed, request, done]: Parameters<LibradosCluster["read"]>): void {
    const names = { ...packed, count: (packed.offsets.length - 1) / 3 };
    const attributes = Array.from({ length: names.count }, (_, i): ReadAttributes => {
      const has = this.#pairs(Number(Buffer.from(nameAt(names, i).name).toString()));
      const found = Math.min(has, request.omap?.count ?? 0);
      this.#count(1, found * this.#value.length);
      const omap = Array<Buffer>(2 * found).fill(this.#value);
      return { xattrs: [], omapHeader: Buffer.alloc(0), omap, omapMore: found < has };
    });
    const batch = {
      errno: new Int32Array(names.count),
      size: new Float64Array(names.count),
      mtime: new BigInt64Array(names.count),
      version: new BigUint64Array(names.count).fill(1n),
      dataLength: new Float64Array(names.count),
      attributes,
    };
    setTimeout(() => {
      done(0, batch);
      // What is read once more, with more pairs, was never yielded.
      for (const { omap, omapMore } of attributes) {
        const found = omap.length / 2;
        if (omapMore && found <= FIRST_PAIRS) this.#count(-1, -found * this.#value.length);
      }
    }, 1);
  }

  #count(objects: number, bytes: number): void {
    this.#out.objects += objects;
    this.#out.bytes += bytes;
    this.peak.objects = Math.max(this.peak.objects, this.#out.objects);
    this.peak.bytes = Math.max(this.peak.bytes, this.#out.bytes);
  }
}

for (const [what, count, valueBytes, pairs] of [
  ["all objects have a long omap", 300, 4096, () => 1000],
  ["few objects have a long omap", 3000, 4096, (i: number) => (i % 100 === 0 ? 1000 : 0)],
  ["long omaps come late", 2300, 4096, (i: number) => (i < 2000 ? 0 : 1000)],
  ["values are large", 100, 32 << 10, () => 300],
] as const) {
  test(`reading stays within its memory where ${what}`, async (t) => {
    const pool = new PoolOfOmaps(valueBytes, pairs);
    const seen = await pool.read(count);
    t.is(seen.size, count);
    for (const [name, found] of seen) {
      const has = pairs(Number(name));
      // An omap of more than a few MiB comes with its first page.
      if (found !== has && found * valueBytes < 1 << 20) t.fail(`${name}: ${found} of ${has}`);
    }
    t.true(pool.peak.bytes < 2 * MEMORY, `${pool.peak.bytes >> 20} MiB`);
  });
}

test("objects without attributes are read 512 at a time", async (t) => {
  const pool = new PoolOfOmaps(0, () => 0);
  t.is((await pool.read(5000)).size, 5000);
  t.true(pool.peak.objects >= 512, `${pool.peak.objects} objects`);
});

test("the memory of writes includes attributes", async (t) => {
  let [out, peak, written] = [0, 0, 0];
  const pool = {
    write: async (objects: readonly WriteObject[]) => {
      out += objects.length;
      peak = Math.max(peak, out);
      await sleep(5);
      out -= objects.length;
      written += objects.length;
    },
  } as Partial<CephPool> as CephPool;
  const ceph = {
    checkTiers: async () => {},
    openPool: async () => pool,
  } as Partial<CephCluster> as CephCluster;
  const targets = await PoolTargets.open(ceph, new Map([["from", "to"]]), NEVER);
  const omap = Array.from(
    { length: 1000 },
    (_, i) => [Buffer.from(`${i}`), Buffer.alloc(4096)] as const,
  );
  for (let i = 0; i < 100; i++) {
    targets.add(pool, objectOf(`${i}`, { omap }), 0, () => {});
    await targets.ready();
  }
  await targets.drain();
  t.is(written, 100);
  // Each takes more than 4 MiB.
  t.true(peak <= 6, `${peak} objects`);
});
