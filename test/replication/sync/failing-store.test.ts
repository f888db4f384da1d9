import test from "ava";
import { FailingStore } from "../../../src/replication/sync/failing-store.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const PART = { partBytes: 10 };
const FACTS = { parts: 1, size: 1, sha256: "0".repeat(64) };

const CALLS: Readonly<Record<string, (store: SnapStore) => Promise<unknown>>> = {
  put: (store) => store.put("k", Buffer.of(1)),
  startUpload: (store) => store.startUpload("k", PART),
  part: async (store) => (await store.startUpload("k", PART)).part(0, Buffer.of(1)),
  complete: async (store) => (await store.startUpload("k", PART)).complete(FACTS),
  get: async (store) => {
    for await (const _ of store.get("k"));
  },
  head: (store) => store.head("k"),
  list: (store) => store.list(""),
  delete: (store) => store.delete("k"),
};

test("an error is known to the store that has thrown it, also to none other of the same name", async (t) => {
  for (const [name, call] of Object.entries(CALLS)) {
    const switchable = new SwitchableStore(new MemoryStore());
    const [store, other] = [new FailingStore(switchable), new FailingStore(new MemoryStore())];
    t.is(store.name, other.name);
    await store.put("k", Buffer.of(1));
    switchable.before = (made) => {
      if (made === name) throw new StoreError("STORE_FAILED", "as the test wants", { store: "" });
    };
    const error = await t.throwsAsync(call(store), { code: "STORE_FAILED" }, name);
    for (const thrown of [error, new Error("of it", { cause: error })]) {
      t.true(store.hasThrown(thrown), name);
      t.false(other.hasThrown(thrown), name);
    }
  }
  t.false(new FailingStore(new MemoryStore()).hasThrown(undefined));
});

test("what a consumer of a read throws is not an error of the store", async (t) => {
  const store = new FailingStore(new MemoryStore());
  await store.put("k", Buffer.of(1));
  const error = await t.throwsAsync(async () => {
    for await (const _ of store.get("k")) throw new Error("of the consumer");
  });
  t.false(store.hasThrown(error));
});
