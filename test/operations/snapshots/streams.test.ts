import { readdirSync, readFileSync, utimesSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { BackupToolError } from "../../../src/errors.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { copySnapshots } from "../../../src/operations/snapshots/copy.js";
import { deleteStoredStream } from "../../../src/operations/snapshots/delete-stream.js";
import { deleteStoredSnapshot } from "../../../src/operations/snapshots/delete.js";
import {
  holdStoredSnapshot,
  releaseStoredSnapshot,
} from "../../../src/operations/snapshots/hold.js";
import { listStoredSnapshots } from "../../../src/operations/snapshots/list.js";
import { pruneLeftOvers } from "../../../src/operations/snapshots/prune.js";
import { pruneStore, type RetentionOptions } from "../../../src/operations/snapshots/retention.js";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import { pinSnapshot } from "../../../src/snapshots/control/pins.js";
import { plannedDeletions } from "../../../src/snapshots/control/plans.js";
import { putHold } from "../../../src/snapshots/holds.js";
import { listStore } from "../../../src/snapshots/list-store.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { type ForgedStream, forgeStream } from "../../support/stores/forged-streams.js";
import { forgeFull } from "../../support/stores/memory-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const DAY = 86_400;
const START = 1_700_000_000;
const now = new Date((START + 10 * DAY) * 1000);
const RETENTION: RetentionOptions = {
  policy: { kind: "limit-based", maxBackups: 1 },
  timeZone: "UTC",
  streamPeriodMs: (DAY / 2) * 1000,
  now,
  inProgressSince: new Date(now.getTime() - DAY * 1000),
  dryRun: false,
};

/**
 * A full backup and a stream each day for three days. The raw snapshots are taken while the streams before go on: the last
 * stream needs the last full backup and the end of the stream before it.
 */
async function newStore() {
  const config = { provider: "Local", container: newFolder(), prefix: "" } as const;
  const store = new SwitchableStore(new LocalStore(config));
  const fulls: { name: string }[] = [];
  const streams: ForgedStream[] = [];
  for (const day of [0, 1, 2]) {
    const time = START + day * DAY;
    fulls.push(await forgeFull(store, { time, revision: 10 + 10 * day }));
    if (day === 0) continue;
    // The deltas end at 23 and 33.
    const first = day === 1 ? 11 : 24;
    const lengths = [1, 2, day === 1 ? 10 : 7];
    const every = DAY / 3;
    streams.push(await forgeStream(store, { first, time: time - DAY + 60, lengths, every }));
  }
  const time = START + 2 * DAY + 60;
  const lengths = Array.from({ length: 24 }, () => 1);
  streams.push(await forgeStream(store, { first: 34, time, lengths, every: DAY / 30 }));
  const events: OperationEvent[] = [];
  const context = {
    signal,
    report: (event: OperationEvent) => {
      // There is no folder to remember what was seen.
      if (event.type !== "note") events.push(event);
    },
  };
  const names = async () => {
    const { snapshots, streams: left } = await listStore(store, signal);
    return [...snapshots, ...left].map(({ name }) => name.text);
  };
  const byHand = (snapshot: string) =>
    deleteStoredSnapshot({ store: config, snapshot, dryRun: false }, context);
  return { config, store, fulls, streams, events, context, names, byHand };
}

type Made = Awaited<ReturnType<typeof newStore>>;

function nth<T>(list: readonly T[], index: number): T {
  const found = list[index];
  if (found === undefined) throw new Error(`nothing at ${index}`);
  return found;
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    return error.code;
  }
}

function prune({ store, context }: Made, more: Partial<RetentionOptions> = {}) {
  return pruneStore(store, { ...RETENTION, ...more }, context);
}

test("retention deletes old streams and then the backups that no kept deltas need", async (t) => {
  const made = await newStore();
  const { store, events, fulls, streams, names } = made;
  const dry = await prune(made, { dryRun: true });
  t.deepEqual(dry, { kept: 3, deleted: 3, failed: 0 });
  t.is((await names()).length, 6);
  store.calls.length = 0;
  t.deepEqual(await prune(made), { kept: 3, deleted: 3, failed: 0 });
  // Stream 1 ends with revision 33, after the raw snapshot of revision 30 that stream 2 is based on.
  t.deepEqual(await names(), [
    nth(fulls, 2).name,
    nth(streams, 1).name.text,
    nth(streams, 2).name.text,
  ]);
  const old = nth(streams, 0);
  const deleted = store.keysOf("delete").filter((key) => !key.startsWith("."));
  t.deepEqual(
    deleted.slice(0, 3),
    old.deltas.map((delta) => `${old.name.text}/${deltaName(delta)}`).toReversed(),
  );
  const reasons = events.flatMap((event) =>
    event.type === "retention-decision" && event.kind === "stream" && event.dryRun
      ? [event.reasons.map(({ code }) => code).join()]
      : [],
  );
  t.deepEqual(reasons, ["no-rule", "delta-base", "newest-stream,recent-deltas"]);
});

test("retention deletes old streams of a store that has more deltas than a listing holds", async (t) => {
  const made = await newStore();
  const { store, streams, names } = made;
  const catalog = new CachedCatalog(store, { maxDeltas: 29 });
  await t.throwsAsync(catalog.listAll(signal), { code: "STORE_OVERFLOW" });
  const list = (inner: AbortSignal) => catalog.outline(inner);
  t.deepEqual(await prune(made, { list }), { kept: 3, deleted: 3, failed: 0 });
  t.false((await names()).includes(nth(streams, 0).name.text));
  t.is((await catalog.listAll(signal)).streams.length, 2);
});

test("after an outage nothing goes by the first delta", async (t) => {
  const made = await newStore();
  const { store, streams, names } = made;
  const [first] = streams;
  await prune(made);
  const before = await names();
  t.false(before.includes(first?.name.text ?? ""));
  await forgeStream(store, { first: 58, time: START + 8 * DAY, lengths: [1] });
  await prune(made);
  t.deepEqual((await names()).slice(0, before.length), before);
});

test("a base that no policy keeps stays for the deltas of a kept stream", async (t) => {
  const made = await newStore();
  await forgeFull(made.store, { time: START + 3 * DAY, revision: 50, raw: false });
  await prune(made);
  t.true((await made.names()).includes(nth(made.fulls, 2).name));
  t.false((await made.names()).includes(nth(made.fulls, 1).name));
});

test("a deletion that is interrupted leaves a log that ends earlier, and the next run ends it", async (t) => {
  const made = await newStore();
  const { store, streams, names } = made;
  const old = nth(streams, 0);
  let deletions = 0;
  store.before = (call, key) => {
    if (call === "delete" && key.startsWith(old.name.text) && deletions++ > 0) {
      throw new StoreError("STORE_FAILED", "as the test wants", { store: store.name });
    }
  };
  const { failed } = await prune(made);
  t.is(failed, 1);
  const left = (await listStore(store, signal)).streams.find(
    ({ name }) => name.text === old.name.text,
  );
  t.is(left?.deltas.length, 2);
  t.deepEqual(left?.gaps, []);
  // What the deltas that are left need stays with them.
  t.true((await names()).includes(nth(made.fulls, 0).name));
  store.before = () => {};
  await prune(made);
  t.false((await names()).includes(old.name.text));
  t.false((await names()).includes(nth(made.fulls, 0).name));
});

test("a stream that is held or pinned after the plan stays, with what it needs", async (t) => {
  for (const protect of ["hold", "pin"] as const) {
    const made = await newStore();
    const { store, streams, fulls, names } = made;
    const old = nth(streams, 0).name.text;
    let done = false;
    store.before = async (call, key) => {
      if (done || call !== "put" || !key.startsWith(".backuptool/plans/")) return;
      done = true;
      if (protect === "pin") await pinSnapshot(store, old, signal);
      else await putHold(store, old, { heldAt: new Date() }, signal);
    };
    await prune(made);
    t.true((await names()).includes(old), protect);
    t.true((await names()).includes(nth(fulls, 0).name), protect);
  }
});

test("a hold or pin that is put while a stream is deleted ends its deletion", async (t) => {
  for (const protect of ["hold", "hold of its base", "pin"] as const) {
    const made = await newStore();
    const { store, names } = made;
    const full = await forgeFull(store, { time: START - 6 * DAY, revision: 999 });
    const lengths = Array.from({ length: 250 }, () => 1);
    const old = await forgeStream(store, { first: 1000, time: START - 5 * DAY, lengths, bytes: 1 });
    let deletions = 0;
    store.before = async (call, key) => {
      if (call !== "delete" || !key.startsWith(old.name.text) || ++deletions !== 50) return;
      if (protect === "pin") await pinSnapshot(store, old.name.text, signal);
      else {
        const held = protect === "hold" ? old.name.text : full.name;
        await putHold(store, held, { heldAt: new Date() }, signal);
      }
    };
    const { failed } = await prune(made);
    t.is(failed, 1, protect);
    const { streams } = await listStore(store, signal);
    const left = streams.find(({ name }) => name.text === old.name.text);
    t.is(left?.deltas.length, 122, protect);
    t.true((await names()).includes(full.name), protect);
    t.is((await plannedDeletions(store, new Date(), signal)).names.size, 0);
  }
});

test("a stream is deleted by its name, unless other deltas need it", async (t) => {
  const { streams, fulls, byHand, names, events } = await newStore();
  t.is(await codeOf(byHand(nth(streams, 1).name.text)), "SNAPSHOT_NEEDED");
  t.is(await codeOf(byHand(nth(fulls, 2).name)), "SNAPSHOT_NEEDED");
  t.is(await codeOf(byHand(nth(streams, 0).name.text)), "SNAPSHOT_NEEDED");
  await byHand(nth(streams, 2).name.text);
  await byHand(nth(streams, 1).name.text);
  await byHand(nth(fulls, 2).name);
  t.is(events.filter(({ type }) => type === "snapshot-deleted").length, 3);
  t.deepEqual(await names(), [nth(fulls, 0).name, nth(fulls, 1).name, nth(streams, 0).name.text]);
  t.is(await codeOf(byHand(nth(streams, 2).name.text)), "NO_SNAPSHOT");
});

test("a stream that is being written, or that another program has a file in, is not deleted", async (t) => {
  const { store, streams, byHand, names, context } = await newStore();
  const newest = nth(streams, 2).name;
  const pin = await pinSnapshot(store, newest.text, signal);
  t.is(await codeOf(byHand(newest.text)), "SNAPSHOT_PINNED");
  await pin.release();
  await store.put(`${newest.text}/segment`, Buffer.of(1));
  t.is(await codeOf(byHand(newest.text)), "FOREIGN_FILE");
  await store.delete(`${newest.text}/segment`);
  const before = await names();
  await deleteStoredStream(store, newest, { dryRun: true }, context);
  t.deepEqual(await names(), before);
  const asked: unknown[] = [];
  const approve = async (...what: unknown[]) => void asked.push(...what);
  await deleteStoredStream(store, newest, { dryRun: false, approve }, context);
  t.like(asked[0], { name: newest.text, state: "complete" });
});

test("a hold on a backup holds its deltas up to the next raw snapshot; a hold on a stream what that needs", async (t) => {
  const made = await newStore();
  const { config, streams, fulls, context, byHand, events, names } = made;
  const hold = (snapshot: string) =>
    holdStoredSnapshot({ store: config, snapshot, now: new Date() }, context);
  const release = (snapshot: string) => releaseStoredSnapshot({ store: config, snapshot }, context);
  await hold(nth(fulls, 0).name);
  const [held] = events.flatMap((event) => (event.type === "snapshot-held" ? [event] : []));
  // Revisions 11 to 20 are in the first stream.
  t.deepEqual(held?.bases, [nth(streams, 0).name.text, nth(fulls, 1).name]);
  await prune(made);
  const all = [...streams.map(({ name }) => name.text), ...fulls.map(({ name }) => name)];
  t.deepEqual((await names()).sort(), all.sort());
  await byHand(nth(streams, 2).name.text);
  await byHand(nth(streams, 1).name.text);
  for (const name of [nth(streams, 0).name.text, nth(fulls, 1).name]) {
    t.is(await codeOf(byHand(name)), "SNAPSHOT_HELD");
  }
  await release(nth(fulls, 0).name);
  await hold(nth(streams, 0).name.text);
  t.is(await codeOf(byHand(nth(streams, 0).name.text)), "SNAPSHOT_HELD");
  t.is(await codeOf(byHand(nth(fulls, 0).name)), "SNAPSHOT_HELD");
  await release(nth(streams, 0).name.text);
  await byHand(nth(streams, 0).name.text);
  t.is(await codeOf(hold(nth(streams, 0).name.text)), "NO_SNAPSHOT");
  t.is((await plannedDeletions(made.store, new Date(), signal)).names.size, 0);
});

test("streams are listed after the snapshots, with what each of two stores has", async (t) => {
  const { config, store, streams, context, events } = await newStore();
  const other = { provider: "Local", container: newFolder(), prefix: "" } as const;
  const second = new LocalStore(other);
  const [, middle, newest] = streams as [ForgedStream, ForgedStream, ForgedStream];
  const copyOf = async ({ name }: ForgedStream, number: number) => {
    const file = readdirSync(join(config.container, name.text))[number] ?? "";
    await second.put(`${name.text}/${file}`, readFileSync(join(config.container, name.text, file)));
  };
  await copyOf(middle, 0);
  await copyOf(newest, 1);
  await forgeStream(second, { first: 90, time: START + 9 * DAY, lengths: [], base: 100 });
  const listing = { primary: config, secondary: other, now };
  await listStoredSnapshots(listing, context);
  t.deepEqual(
    events.slice(0, 5).map(({ type }) => type),
    ["snapshots", ...Array.from({ length: 3 }, () => "snapshot"), "streams"],
  );
  const rows = events.flatMap((event) => (event.type === "stream" ? [event] : []));
  t.deepEqual(
    rows.map(({ primary, secondary, deltas, base }) => [primary, secondary, deltas, base]),
    [
      ["complete", "absent", 3, undefined],
      ["complete", "behind", 3, undefined],
      ["complete", "gaps", 24, undefined],
      ["absent", "complete", 0, "complete"],
    ],
  );
  t.like(rows[1], { firstRevision: 24, lastRevision: 33, ageSeconds: 8 * DAY - 60 });
  events.length = 0;
  const empty = { provider: "Local", container: newFolder(), prefix: "" } as const;
  await listStoredSnapshots({ primary: empty, now }, context);
  t.deepEqual(
    events.map(({ type }) => type),
    ["snapshots"],
  );
  await store.close();
});

test("a copy brings the streams after the snapshots; with a limit those that go on from them", async (t) => {
  const { config, streams, context, names } = await newStore();
  const copyTo = async (limits: { maxBackups?: number }) => {
    const target = { provider: "Local", container: newFolder(), prefix: "" } as const;
    const failed = await copySnapshots(
      {
        ...{ source: config, target, limits, maxParallelCopies: 4 },
        ...{ minChunkBytes: 5 << 20, maxParallelChunks: 2 },
        retries: { maxRetries: 1, backoffMs: 1 },
      },
      context,
    );
    t.is(failed, 0);
    const { snapshots, streams: copied } = await listStore(new LocalStore(target), signal);
    return [...snapshots, ...copied].map(({ name }) => name.text);
  };
  t.deepEqual(await copyTo({}), await names());
  // The last full backup was made while the stream before the last one went on.
  t.deepEqual(
    (await copyTo({ maxBackups: 1 })).slice(1),
    streams.slice(1).map(({ name }) => name.text),
  );
});

test("left-overs of an unfinished base go when they are old, but not beside deltas", async (t) => {
  const { config, store, context, names } = await newStore();
  const options = { time: START + 5 * DAY, base: 50, unfinished: true };
  const lone = await forgeStream(store, { ...options, first: 50, lengths: [] });
  const used = await forgeStream(store, { ...options, first: 60, lengths: [1] });
  const olderThan = new Date(Date.now() - 1000 * DAY);
  await pruneLeftOvers(store, { olderThan, dryRun: false }, context);
  t.true((await names()).includes(lone.name.text));
  const old = new Date(START * 1000);
  for (const { name } of [lone, used]) {
    const folder = join(config.container, name.text);
    for (const file of readdirSync(folder)) utimesSync(join(folder, file), old, old);
  }
  const before = await names();
  await pruneLeftOvers(
    store,
    { olderThan: new Date(Date.now() - DAY * 1000), dryRun: false },
    context,
  );
  t.deepEqual(
    await names(),
    before.filter((name) => name !== lone.name.text),
  );
});
