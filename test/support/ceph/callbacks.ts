/**
 * Runs one case of what callbacks of the binding may do. Exits with 0 when it holds.
 *
 *     node --expose-gc ceph/callbacks.js POOL CASE
 */
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { callBinding } from "../../../src/sources/ceph/binding-call.js";
import type { ReadBatch } from "../../../src/sources/ceph/librados.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import { REPLACE } from "../../../src/sources/ceph/object-writes.js";
import { NEVER, objectName, objectOf } from "./load.js";
import { type NativePool, nativePool } from "./native.js";

const COUNT = 200;

/** Stats one object that does not exist. */
function stat({ native, number }: NativePool, done: (code: number) => void): void {
  native.stat(number, packNames([objectName("nothing")]), done);
}

async function write({ native, number }: NativePool, name: string, fill: number): Promise<number> {
  const object = objectOf(name, {
    data: [Buffer.alloc(100_000, fill), Buffer.alloc(100_000, fill + 1)],
  });
  const errno = await callBinding<Int32Array>(NEVER, { operation: "write" }, (done) =>
    native.write(number, packNames([object]), [object], REPLACE, done),
  );
  return errno[0] ?? -1;
}

async function read(
  { native, number }: NativePool,
  name: string,
): Promise<{ dataLength: number | undefined; memory: Uint8Array }> {
  const memory = new Uint8Array(new SharedArrayBuffer(200_000));
  const data = { offset: 0, length: memory.length, memory };
  const request = { attributes: true, data, omap: { after: new Uint8Array(), count: 10 } };
  const { dataLength } = await callBinding<ReadBatch>(NEVER, { operation: "read" }, (done) =>
    native.read(number, packNames([objectName(name)]), request, done),
  );
  return { dataLength: dataLength[0], memory };
}

const CASES: Readonly<Record<string, (pool: NativePool) => Promise<void>>> = {
  async throw(pool) {
    let thrown = 0;
    let called = 0;
    process.on("uncaughtException", () => thrown++);
    for (let i = 0; i < COUNT; i++) {
      stat(pool, () => {
        called++;
        if (i % 2 === 0) throw new Error("on purpose");
      });
    }
    while (called < COUNT) await sleep(1);
    pool.native.close();
    assert.equal(thrown, COUNT / 2);
  },
  async "throw at close"(pool) {
    let thrown = 0;
    process.on("uncaughtException", () => thrown++);
    for (let i = 0; i < COUNT; i++) {
      stat(pool, () => {
        throw new Error("on purpose");
      });
    }
    pool.native.close();
    assert.equal(thrown, COUNT);
  },
  async close(pool) {
    const codes: number[] = [];
    for (let i = 0; i < COUNT; i++) {
      stat(pool, (code) => {
        codes.push(code);
        if (codes.length === 1) pool.native.close();
      });
    }
    while (codes.length < COUNT) await sleep(1);
    await sleep(50);
    assert.equal(codes.length, COUNT);
    assert.equal(codes[0], 0);
    for (const code of codes) assert.ok(code === 0 || code === -125, `errno ${code}`);
  },
  async "start after close"(pool) {
    pool.native.close();
    let answer: number | undefined;
    stat(pool, (code) => {
      answer = code;
    });
    assert.equal(answer, -125);
    pool.native.close();
  },
  async "start from a callback"(pool) {
    let left = COUNT;
    await new Promise<void>((resolve) => {
      const next = (): void => stat(pool, () => (--left === 0 ? resolve() : next()));
      next();
    });
    pool.native.close();
  },
  /** Only the binding refers to the buffers while operations are under way. */
  async "lose the buffers"(pool) {
    const { gc } = globalThis as { gc?: () => void };
    assert.ok(gc);
    for (let round = 0; round < 10; round++) {
      const writes = Array.from({ length: 8 }, (_, i) => write(pool, `gc-${i}`, round));
      gc();
      assert.deepEqual(await Promise.all(writes), Array(8).fill(0));
      const reads = Array.from({ length: 8 }, (_, i) => read(pool, `gc-${i}`));
      // Reuses memory that was freed.
      for (let i = 0; i < 20; i++) Buffer.alloc(100_000, 0xff);
      gc();
      for (const { dataLength, memory } of await Promise.all(reads)) {
        assert.equal(dataLength, 200_000);
        assert.ok(memory.subarray(0, 100_000).every((byte) => byte === round));
        assert.ok(memory.subarray(100_000).every((byte) => byte === round + 1));
      }
    }
    pool.native.close();
  },
};

const [pool = "", what = ""] = process.argv.slice(2);
const run = CASES[what];
if (run === undefined) throw new Error(`no case ${what}`);
await run(await nativePool(pool));
