import test from "ava";
import { LossRecords } from "../../../src/snapshots/control/losses.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const FACTS = { lost: 1200, of: 1300, newestChain: true };
const namesOf = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `Full-00000000-00000000-${1_700_000_000 + i}`);
const keysOf = ({ objects }: MemoryStore): string[] => [...objects.keys()];

test("a loss of many snapshots is read by another process", async (t) => {
  const store = new MemoryStore();
  const names = namesOf(1200);
  await new LossRecords(store).add({ names, ...FACTS }, signal);
  t.is(keysOf(store).length, 3);
  const read = await new LossRecords(store).read(new Set(names), signal);
  t.deepEqual(read.flatMap((loss) => loss.names).sort(), names);
  for (const loss of read) t.like(loss, FACTS);
});

test("a file is read once, and removed when none of its snapshots is missing", async (t) => {
  const inner = new MemoryStore();
  const store = new SwitchableStore(inner);
  const names = namesOf(2);
  await new LossRecords(store).add({ names, ...FACTS }, signal);
  const records = new LossRecords(store);
  for (let i = 0; i < 2; i++) t.is((await records.read(new Set(names), signal)).length, 1);
  t.is(store.keysOf("get").length, 1);
  await records.keepOnly(new Set(names.slice(1)));
  t.is(keysOf(inner).length, 1);
  store.before = (call) => {
    if (call === "delete") throw new StoreError("STORE_IMMUTABLE", "locked", { store: "test" });
  };
  await records.keepOnly(new Set());
  t.is(keysOf(inner).length, 1);
  store.before = () => {};
  await records.keepOnly(new Set());
  t.deepEqual(keysOf(inner), []);
});

test("what is no record of a loss counts for nothing", async (t) => {
  const store = new MemoryStore();
  const names = namesOf(1);
  const files = [
    "not JSON",
    "{}",
    JSON.stringify({ format: 1, snapshots: names, lost: -1, of: 1 }),
    JSON.stringify({ format: 1, snapshots: "all", lost: 1, of: 1 }),
    JSON.stringify({ format: 2, snapshots: names, lost: 1, of: 1 }),
  ];
  for (const [i, text] of files.entries()) {
    await store.put(`.backuptool/losses/${i}`, Buffer.from(text));
  }
  const records = new LossRecords(store);
  t.deepEqual(await records.read(new Set(names), signal), []);
  await store.put(
    ".backuptool/losses/9",
    Buffer.from(JSON.stringify({ format: 1, snapshots: [7, null, ...names], lost: 1, of: 3 })),
  );
  t.deepEqual(await records.read(new Set(names), signal), [
    { names, lost: 1, of: 3, newestChain: false },
  ]);
});
