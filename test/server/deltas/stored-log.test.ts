import test from "ava";
import fc from "fast-check";
import { SiteLog } from "../../../src/server/deltas/site-log.js";
import { storedLog } from "../../../src/server/deltas/stored-log.js";
import {
  type HistoryCopy,
  listingOf,
  makeHistory,
  type MadeHistory,
  plainHistories,
  reachOf,
  restoredHistories,
  type Step,
} from "../../support/history/stored-history.js";

const RUNS = Number(process.env["RUNS"] ?? 2000);

/** What a file is lost at: no site, or one of two. The sites together hold all. */
const lost = fc.infiniteStream(fc.constantFrom("none", "none", "none", "primary", "secondary"));

function copiesOf({ streams, fulls }: MadeHistory, losses: Iterator<string>) {
  const at = new Map<object, string>();
  const isAt = (file: object, site: string): boolean => {
    const missing = at.get(file) ?? String(losses.next().value);
    at.set(file, missing);
    return missing !== site;
  };
  const copyAt = (site: string): HistoryCopy => ({
    fulls: fulls.filter((full) => isAt(full, site)),
    streams: streams.map((stream) => ({
      ...stream,
      base: stream.base !== undefined && isAt(stream.base, site) ? stream.base : undefined,
      deltas: stream.deltas.filter((delta) => isAt(delta, site)),
    })),
  });
  return { primary: copyAt("primary"), secondary: copyAt("secondary") };
}

function durableAt(copies: { primary: HistoryCopy; secondary: HistoryCopy }) {
  const log = storedLog(
    new Map([
      ["primary", listingOf(copies.primary)],
      ["secondary", listingOf(copies.secondary)],
    ] as const),
  );
  const at = (site: "primary" | "secondary"): number | undefined => {
    const held = new SiteLog();
    held.listed(log.held.get(site) ?? { ranges: [], bases: [] });
    return held.durable;
  };
  return { primary: at("primary"), secondary: at("secondary"), end: log.end };
}

/** The last revision that a restore from a copy reaches in the newest history. */
function newestReach(copy: HistoryCopy, { lines }: MadeHistory): number {
  return reachOf(copy, lines.at(-1) ?? []) ?? 0;
}

/** The same in any history, up to the revision from which the newest one is in the log. */
function earlierReach(copy: HistoryCopy, { lines, streams }: MadeHistory): number {
  // One that was merged is of the log that was there before.
  const ofEtcd = streams.filter(({ name, startedMs }) => startedMs >= 1000 * name.time);
  const newest = ofEtcd.findLast(({ base }) => base !== undefined)?.base?.length ?? 0;
  return Math.min(newest, Math.max(...lines.map((line) => reachOf(copy, line) ?? 0)));
}

const SECONDS: Step = { kind: "wait", ms: 3000 };
const FLUSH: Step = { kind: "flush" };
const write = (revisions: number): Step => ({ kind: "write", revisions });
const beginFull = (isLate: boolean): Step => ({ kind: "begin-full", isLate });
const restoreEtcd = (back: number, writes: number): Step => ({
  kind: "restore-etcd",
  back,
  writes,
});

test("a full backup that was begun before a restore of etcd, and complete after it, is no base of what came then", (t) => {
  const before: Step[] = [write(2), FLUSH, SECONDS, beginFull(false), SECONDS];
  for (const writes of [0, 1]) {
    const history = makeHistory([
      ...[...before, restoreEtcd(1, 0), write(writes), FLUSH],
      ...[SECONDS, { kind: "end-full" } as const],
    ]);
    const [full] = history.fulls;
    t.is(full?.revision, 3);
    const streams = history.streams.map((stream) => ({ ...stream, base: undefined }));
    t.deepEqual(durableAt({ primary: history, secondary: { ...history, streams } }), {
      primary: 2 + writes,
      // It has no base of either history.
      secondary: undefined,
      end: 2 + writes,
    });
  }
});

test("a site without the base of the newest history has only what is before that", (t) => {
  const history = makeHistory([write(4), FLUSH, SECONDS, restoreEtcd(2, 1), write(3), FLUSH]);
  const [first, second] = history.streams;
  if (first === undefined || second === undefined) throw new Error("no streams");
  const lacking = { ...history, streams: [first, { ...second, base: undefined }] };
  t.deepEqual(durableAt({ primary: history, secondary: lacking }), {
    primary: 7,
    secondary: 4,
    end: 7,
  });
});

test("a full backup is a base of the stream that begins right after it, though it took long", (t) => {
  const history = makeHistory([
    ...[write(2), FLUSH, SECONDS, beginFull(true), write(2), FLUSH, SECONDS],
    ...[{ kind: "end-full" } as const, { kind: "term" } as const, write(2), FLUSH],
  ]);
  const copy = { ...history, streams: history.streams.slice(1) };
  t.deepEqual(durableAt({ primary: copy, secondary: copy }), { primary: 7, secondary: 7, end: 7 });
});

test("what is called durable at a site is never later than what a restore from it reaches", (t) => {
  let durable = 0;
  fc.assert(
    fc.property(restoredHistories, lost, (history, losses) => {
      const copies = copiesOf(history, losses);
      const found = durableAt(copies);
      for (const site of ["primary", "secondary"] as const) {
        const [copy, claimed] = [copies[site], found[site] ?? 0];
        if (claimed > 0) durable++;
        const reached = Math.max(newestReach(copy, history), earlierReach(copy, history));
        if (claimed > reached) throw new Error(`${site}: ${claimed}, not ${reached}`);
      }
      const together = newestReach(history, history);
      if ((found.end ?? 0) > together) throw new Error(`${found.end}, not ${together}`);
    }),
    { numRuns: RUNS, includeErrorInReport: true },
  );
  t.true(durable > RUNS);
});

test("without restores of etcd, all that a restore from a site reaches is called durable", (t) => {
  let ofFulls = 0;
  fc.assert(
    fc.property(plainHistories, fc.nat(5), (history, chosen) => {
      // Retention deletes the oldest streams, up to one that goes on from a full backup.
      const starts = history.streams.flatMap(({ name, base }, i) =>
        base === undefined &&
        history.fulls.some(({ revision }) => revision + 1 === name.firstRevision)
          ? [i]
          : [],
      );
      const copy = { ...history, streams: history.streams.slice(starts[chosen] ?? 0) };
      if (copy.streams.every(({ base }) => base === undefined)) ofFulls++;
      const reached = newestReach(copy, history);
      const found = durableAt({ primary: copy, secondary: copy });
      t.deepEqual(found, { primary: reached, secondary: reached, end: reached });
    }),
    { numRuns: RUNS, includeErrorInReport: true },
  );
  t.true(ofFulls > RUNS / 100);
});
