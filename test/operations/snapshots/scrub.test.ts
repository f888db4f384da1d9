import { createHash } from "node:crypto";
import { setMaxListeners } from "node:events";
import test, { type ExecutionContext } from "ava";
import { encodeManifest } from "../../../src/archive/manifest/manifest.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { scrubStore } from "../../../src/operations/snapshots/scrub.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { damagedFiles, readScrubProgress } from "../../../src/snapshots/control/scrub-progress.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { deleteSnapshot } from "../../../src/snapshots/delete.js";
import { listStore } from "../../../src/snapshots/list-store.js";
import { deleteStream } from "../../../src/snapshots/streams/delete-stream.js";
import { forgeStream } from "../../support/stores/forged-streams.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";
import { MemoryStore } from "../../support/stores/memory-store.js";

const { signal } = new AbortController();
// Of several tests at the same time.
setMaxListeners(0, signal);
const START = "2026-11-28T02:00:00.000Z";

/** A snapshot with as many archive files. Its content only has to fit its manifest. */
async function addSnapshot(store: MemoryStore, number: number, archives: number): Promise<string> {
  const name = `Full-00000000-00000000-${1795831200 + number}`;
  const names = [
    ...Array.from({ length: archives }, (_, i) => `ARCHIVE${String(i).padStart(5, "0")}.bin`),
    "INDEX.bin",
    "METADATA.bin",
  ];
  const files = [];
  for (const file of names) {
    const bytes = Buffer.from(`${name}/${file}`);
    await store.put(`${name}/${file}`, bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    files.push({ name: file, size: bytes.length, sha256 });
  }
  const id = createHash("md5").update(name).digest("hex");
  const manifest = { format: 1, id, kind: "full", base: null, startedAt: START, finishedAt: START };
  await store.put(
    `${name}/MANIFEST.json`,
    Buffer.from(encodeManifest({ ...manifest, files } as Parameters<typeof encodeManifest>[0])),
  );
  return name;
}

async function scrub(store: SnapStore, events: OperationEvent[] = []) {
  const snapshots = await listSnapshots(store, signal);
  const report = (event: OperationEvent): void => void events.push(event);
  return scrubStore(store, snapshots, { kind: "percent", percent: 25 }, { signal, report });
}

async function storeOf(t: ExecutionContext, counts: readonly number[]): Promise<MemoryStore> {
  const store = new MemoryStore();
  for (const [i, count] of counts.entries()) await addSnapshot(store, i, count);
  const listed = await listSnapshots(store, signal);
  t.true(listed.every(({ state }) => state === "complete"));
  return store;
}

test("as many runs as there are parts read every file once, whoever makes them", async (t) => {
  const store = await storeOf(t, [1, 5, 30, 2]);
  let files = 0;
  for (let run = 1; run <= 4; run++) {
    const result = await scrub(store);
    t.is(result.part, run);
    t.is(result.parts, 4);
    t.true(result.filesRead > 0);
    files += result.filesRead;
  }
  t.is(files, 1 + 5 + 30 + 2 + 4 * 2);
  t.is((await scrub(store)).part, 1);
});

test("damage is reported, and stays known until its part is read again and good", async (t) => {
  const store = await storeOf(t, [3, 3]);
  const key = "Full-00000000-00000000-1795831200/ARCHIVE00001.bin";
  const good = Buffer.from(key);
  const bad = Buffer.from(good);
  bad[0] = 0;
  await store.put(key, bad);
  // The store keeps the digest of what was put; one that does not would show it only when it is read.
  const events: OperationEvent[] = [];
  for (let run = 0; run < 4; run++) await scrub(store, events);
  const damaged = events.filter(({ type }) => type === "snapshot-damaged");
  t.true(damaged.length > 0);
  const first = await readScrubProgress(store, signal);
  t.true(first !== undefined && damagedFiles(first) > 0);
  await store.put(key, good);
  // Not before the part is read again.
  for (let run = 0; run < 4; run++) await scrub(store);
  const last = await readScrubProgress(store, signal);
  t.true(last !== undefined && damagedFiles(last) === 0);
});

test("a progress file that makes no sense is passed over", async (t) => {
  for (const text of ["", "{}", '{"format":1,"part":9,"parts":4,"at":"now"}', "[".repeat(9000)]) {
    const store = await storeOf(t, [1]);
    await store.put(".backuptool/scrub/a", Buffer.from(text));
    t.is(await readScrubProgress(store, signal), undefined);
    t.is((await scrub(store)).part, 1);
    await store.put(".backuptool/scrub/b", Buffer.from(text));
    t.is((await scrub(store)).part, 2);
  }
});

const NAME = "Full-00000000-00000000-1795831200";
const damagesIn = (events: readonly OperationEvent[]) =>
  events.filter((event) => event.type === "snapshot-damaged");

function broken(): StoreError {
  return new StoreError("STORE_TRANSIENT", "answers with 500", { store: "test" });
}

test("an object that always answers with an error is damaged, and ends no run", async (t) => {
  for (const file of ["ARCHIVE00001.bin", "MANIFEST.json"]) {
    const inner = await storeOf(t, [3, 4]);
    const store = new SwitchableStore(inner);
    const events: OperationEvent[] = [];
    const snapshots = await listSnapshots(store, signal);
    store.before = (call, key) => {
      if (call === "get" && key === `${NAME}/${file}`) throw broken();
    };
    const report = (event: OperationEvent): void => void events.push(event);
    const parts: number[] = [];
    for (let run = 0; run < 4; run++) {
      const part = { kind: "percent", percent: 25 } as const;
      parts.push((await scrubStore(store, snapshots, part, { signal, report })).part);
    }
    t.deepEqual(parts, [1, 2, 3, 4]);
    const damages = damagesIn(events);
    // The manifest is read in each run, a file in one of four.
    t.is(damages.length, file === "MANIFEST.json" ? 4 : 1);
    for (const damage of damages) {
      t.is(damage.snapshot, NAME);
      t.is(damage.reason, "it cannot be read: answers with 500");
    }
    const progress = await readScrubProgress(store, signal);
    t.is(progress && damagedFiles(progress), damages.length);
  }
});

test("a store that fails ends the run with its error, and the part is read again", async (t) => {
  const store = new SwitchableStore(await storeOf(t, [3, 4, 5]));
  await scrub(store);
  const snapshots = await listSnapshots(store, signal);
  for (const [wanted, from] of [
    ["ARCHIVE", "get"],
    ["MANIFEST", "get"],
    ["Full", "list"],
  ] as const) {
    let down = false;
    store.before = (call, key) => {
      down ||= call === from && key.includes(wanted);
      if (down) throw broken();
    };
    const events: OperationEvent[] = [];
    const report = (event: OperationEvent): void => void events.push(event);
    const part = { kind: "percent", percent: 25 } as const;
    const run = scrubStore(store, snapshots, part, { signal, report });
    await t.throwsAsync(run, { instanceOf: StoreError }, wanted);
    t.deepEqual(damagesIn(events), []);
    store.before = () => {};
  }
  t.is((await scrub(store)).part, 2);
});

test("what retention deletes meanwhile is no damage", async (t) => {
  const inner = await storeOf(t, [6, 6]);
  const store = new SwitchableStore(inner);
  const snapshots = await listSnapshots(store, signal);
  const events: OperationEvent[] = [];
  const report = (event: OperationEvent): void => void events.push(event);
  let deleted = false;
  store.before = async (call, key) => {
    if (deleted || call !== "get" || !key.startsWith(`${NAME}/ARCHIVE`)) return;
    deleted = true;
    await deleteSnapshot(inner, NAME, { dryRun: false, signal });
  };
  const all = { kind: "slice", slice: 1, slices: 1 } as const;
  const result = await scrubStore(store, snapshots, all, { signal, report });
  t.true(deleted);
  t.like(result, { damagedFiles: 0, snapshots: 1 });
  t.deepEqual(damagesIn(events), []);
});

test("progress is kept in a store that forbids to overwrite and to remove objects", async (t) => {
  const inner = await storeOf(t, [4, 9]);
  const store = new SwitchableStore(inner);
  store.before = (call, key) => {
    const overwritten = call === "put" && inner.objects.has(key);
    if (call !== "delete" && !overwritten) return;
    throw new StoreError("STORE_IMMUTABLE", "is locked", { store: "test" });
  };
  for (let run = 0; run < 10; run++) t.is((await scrub(store)).part, (run % 4) + 1);
  const files = () => [...inner.objects.keys()].filter((key) => key.includes("/scrub/"));
  t.is(files().length, 10);
  // Once the locks are over, one file remains.
  store.before = () => {};
  t.is((await scrub(store)).part, 3);
  t.is(files().length, 1);
});

test("streams are read back too: each delta once in all parts, what is damaged is found, what goes meanwhile is not", async (t) => {
  const store = await storeOf(t, [1]);
  const lengths = Array.from({ length: 9 }, () => 1);
  const stream = await forgeStream(store, { first: 5, time: 1000, lengths, base: 30 });
  const watched = new SwitchableStore(store);
  const run = async (during: () => Promise<void> = async () => {}) => {
    const { snapshots, streams } = await listStore(watched, signal);
    await during();
    const events: string[] = [];
    const report = (event: OperationEvent): void => {
      if (event.type === "snapshot-damaged") events.push(event.file);
    };
    const part = { kind: "percent", percent: 25 } as const;
    const result = await scrubStore(watched, snapshots, part, { signal, report }, streams);
    return { ...result, events };
  };
  for (let part = 1; part <= 4; part++) t.is((await run()).damagedFiles, 0);
  const reads = watched.keysOf("get").filter((key) => key.includes("/DELTA"));
  t.is(reads.length, 9);
  t.is(new Set(reads).size, 9);
  const [first = ""] = reads;
  await store.put(first, Buffer.from("damaged"));
  const found: string[] = [];
  for (let part = 1; part <= 4; part++) found.push(...(await run()).events);
  t.deepEqual(found, [first.split("/")[1]]);
  for (let part = 1; part <= 4; part++) {
    const gone = async () =>
      void (await deleteStream(store, stream.name, { dryRun: false, signal }));
    t.is((await run(part === 1 ? gone : undefined)).damagedFiles, 0);
  }
});
