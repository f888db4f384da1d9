import { createHash } from "node:crypto";
import test, { type ExecutionContext } from "ava";
import { encodeManifest } from "../../../src/archive/manifest/manifest.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { scrubStore } from "../../../src/operations/snapshots/scrub.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { damagedFiles, readScrubProgress } from "../../../src/snapshots/control/scrub-progress.js";
import { MemoryStore } from "../../support/stores/memory-store.js";

const { signal } = new AbortController();
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

async function scrub(store: MemoryStore, events: OperationEvent[] = []) {
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

test("a progress file that makes no sense begins a new round", async (t) => {
  const store = await storeOf(t, [1]);
  for (const text of ["", "{}", '{"format":1,"part":9,"parts":4,"at":"now"}', "[".repeat(9000)]) {
    await store.put(".backuptool/scrub/progress", Buffer.from(text));
    t.is(await readScrubProgress(store, signal), undefined);
    t.is((await scrub(store)).part, 1);
  }
});
