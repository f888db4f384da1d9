import { ArchiveError } from "../../archive/errors.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { BackupToolError } from "../../errors.js";
import { deltaName } from "../../snapshots/streams/delta-name.js";
import type { LogSite } from "../../snapshots/streams/log-stream.js";
import { verifyDeltas } from "../../snapshots/streams/verify-deltas.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { OperationContext } from "../context.js";
import { passphraseKeys } from "../open/derived-keys.js";
import { checkDistinct, openRetrying } from "../open/stores.js";
import type { SpoolSettings } from "../create/raw-snapshot.js";
import type { HistoryAccess } from "./history-access.js";
import { HistoryLog } from "./history-log.js";
import { openHistoryBase } from "./open-base.js";
import { type LogLine, type LogSegment, logLines } from "./plan/log-line.js";
import type { RevisionRange } from "./plan/plan-history.js";
import { type RangeFacts, rangeStates } from "./plan/range-states.js";
import { type ComparedBase, type ProofAccess, proveBase } from "./prove-base.js";
import { isOfStoredData } from "./stored-data-error.js";
import { type HistoryStream, listHistory, type StoredHistoryBase } from "./stored-history.js";

export interface DeltaVerifyOptions extends SpoolSettings {
  readonly primary: StoreConfig;
  readonly secondary?: StoreConfig | undefined;
  /** Compare each raw snapshot with the one before it and the deltas between. */
  readonly prove: boolean;
}

export interface VerifiedHistory {
  /** Revisions. */
  readonly lost: number;
  /** Deltas. */
  readonly damaged: number;
  /** Raw snapshots that are not what the one before them and the deltas make. */
  readonly different: number;
}

/**
 * Reads all deltas of one store or two, and reports the ranges of revisions: proven, present, delayed, lost. A restore of
 * etcd to the past begins another history; the newest one is judged.
 */
export async function verifyHistory(
  options: DeltaVerifyOptions,
  context: OperationContext,
): Promise<VerifiedHistory> {
  const { report } = context;
  const passphrase = passphraseKeys(await context.passphrase(), report);
  const stores: SnapStore[] = [];
  const pool = new SealPool();
  try {
    for (const config of [options.primary, options.secondary]) {
      if (config !== undefined) stores.push(await openRetrying(config));
    }
    const [first, second] = stores;
    if (first !== undefined) checkDistinct(first, second);
    const history = await listHistory(stores, context);
    const log = new HistoryLog(history, passphrase, pool);
    const access = { history, log, passphrase, pool, spoolDir: options.spoolDir };
    const [line] = logLines(history.streams);
    const all = line && extent(line, history.bases);
    if (line === undefined || all === undefined) throw noDeltas(history.where);
    const sites: SiteDeltas[] = [];
    for (const site of history.sites) sites.push(await readSite(site, access, context));
    const { proven, different } = options.prove
      ? await compareBases(access, context)
      : { proven: [], different: 0 };
    const facts = {
      all,
      sites: sites.map((site) => goodOfLine(line, site)),
      inBases: await heldByBases(line, access, context),
      proven,
    };
    const lost = reportRanges(facts, line, report);
    const sum = (count: (site: SiteDeltas) => number) =>
      sites.reduce((total, site) => total + count(site), 0);
    const damaged = sum((site) => site.damaged);
    report({
      type: "deltas-verified",
      where: history.sites.map(({ store }) => store.name),
      deltas: sum((site) => site.read),
      bytes: sum((site) => site.bytes),
      damaged,
      lost,
      different,
    });
    return { lost, damaged, different };
  } finally {
    await Promise.all([pool.close(), ...stores.map((store) => store.close())]);
  }
}

/** What reading the deltas of one site has found. */
interface SiteDeltas {
  /** Revisions of good deltas by the name of their stream, in order. */
  readonly good: ReadonlyMap<string, readonly RevisionRange[]>;
  readonly damaged: number;
  readonly read: number;
  /** Of their files. */
  readonly bytes: number;
}

/** Reads every delta of a site. */
async function readSite(
  { store, streams }: LogSite,
  { passphrase, pool }: Pick<HistoryAccess, "passphrase" | "pool">,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<SiteDeltas> {
  const good = new Map<string, RevisionRange[]>();
  const total = streams.reduce((sum, { deltas }) => sum + deltas.length, 0);
  let [read, bytes, damaged] = [0, 0, 0];
  for (const stream of streams) {
    const snapshot = stream.name.text;
    const bad = new Set<string>();
    await verifyDeltas(
      { store, stream },
      {
        passphrase,
        pool,
        signal,
        onDamage: ({ file, reason }) => {
          bad.add(file);
          report({ type: "snapshot-damaged", snapshot, store: store.name, file, reason });
        },
        onDelta: (delta) => {
          read++;
          bytes += delta.bytes;
          report({ type: "progress", phase: "verify", done: read, total, unit: "items" });
        },
      },
    );
    damaged += bad.size;
    const whole = [...stream.deltas].filter((delta) => !bad.has(deltaName(delta)));
    good.set(
      snapshot,
      whole.map(({ first, last }) => ({ first, last })),
    );
  }
  return { good, damaged, read, bytes };
}

/** From the first revision of the log to the last one that log or bases know; undefined without a log. */
function extent(
  { segments }: LogLine<HistoryStream>,
  bases: readonly StoredHistoryBase[],
): RevisionRange | undefined {
  const [begin, end] = [segments[0], segments.at(-1)];
  if (begin === undefined || end === undefined) return undefined;
  const { name } = end.stream;
  const later = bases.filter(({ takenMs }) => takenMs >= name.time * 1000);
  return {
    first: begin.first,
    last: Math.max(end.last, ...later.map(({ revision }) => revision)),
  };
}

/** The revisions that the line takes from good deltas of a site. */
function goodOfLine({ segments }: LogLine<HistoryStream>, { good }: SiteDeltas): RevisionRange[] {
  return segments.flatMap(({ stream, first, last }) =>
    (good.get(stream.name.text) ?? [])
      .filter((range) => range.last >= first && range.first <= last)
      .map((range) => ({ first: Math.max(first, range.first), last: Math.min(last, range.last) })),
  );
}

/** What raw snapshots hold of the revisions that no delta has. Only those that can are opened. */
async function heldByBases(
  { segments }: LogLine<HistoryStream>,
  { history, passphrase, pool }: HistoryAccess,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<RevisionRange[]> {
  const held: RevisionRange[] = [];
  let next = segments[0]?.first ?? 1;
  const holes: RevisionRange[] = [];
  for (const { first, last } of segments) {
    if (first > next) holes.push({ first: next, last: first - 1 });
    next = Math.max(next, last + 1);
  }
  holes.push({ first: next, last: Number.POSITIVE_INFINITY });
  for (const base of history.bases) {
    if (!holes.some(({ first, last }) => base.revision >= first && base.revision <= last + 1))
      continue;
    try {
      const { metadata } = await openHistoryBase(base, passphrase, pool, context);
      const { compactRevision } = metadata.etcd?.snapshot ?? { compactRevision: base.revision };
      held.push({ first: Math.max(1, compactRevision), last: base.revision });
    } catch (error) {
      if (!(error instanceof ArchiveError) || error.code === "WRONG_PASSPHRASE") throw error;
      context.report({ type: "warning", message: `${base.name} is left out: ${error.message}` });
    }
  }
  return held;
}

/** Compares each raw snapshot with the one before it: what is proven by that, and how many differ. */
async function compareBases(
  access: ProofAccess,
  context: Pick<OperationContext, "report" | "signal">,
): Promise<{ proven: RevisionRange[]; different: number }> {
  const compared: NamedProof[] = [];
  for (const name of new Set(access.history.bases.map((base) => base.name))) {
    try {
      const proof = await proveBase(access, name, context);
      // What is missing is told of the ranges.
      if (proof.outcome === "nothing-before" || proof.outcome === "no-log") continue;
      context.report({ type: "base-compared", base: name, ...proof });
      compared.push({ name, ...proof });
    } catch (error) {
      // What is damaged is reported where the deltas are read, or by a verification of the backup.
      if (!isOfStoredData(error)) throw error;
      context.report({ type: "warning", message: `${name} is not compared: ${error.message}` });
    }
  }
  const different = compared.filter(({ outcome }) => outcome === "differs").length;
  return { proven: provenRanges(compared), different };
}

interface NamedProof extends ComparedBase {
  readonly name: string;
}

/** A merged raw snapshot proves what it was made of if one of etcd is proven to be what it leads to. */
function provenRanges(compared: readonly NamedProof[]): RevisionRange[] {
  const proven: RevisionRange[] = [];
  const confirmed = new Set<string>();
  const isMerged = ({ outcome }: NamedProof) => outcome === "merged";
  const order = (a: NamedProof, b: NamedProof) =>
    b.last - a.last || Number(isMerged(a)) - Number(isMerged(b));
  for (const one of [...compared].sort(order)) {
    if (one.outcome !== "proven" && !(isMerged(one) && confirmed.has(one.name))) continue;
    confirmed.add(one.older);
    if (one.first <= one.last) proven.push({ first: one.first, last: one.last });
  }
  return proven;
}

/** Returns the number of lost revisions. */
function reportRanges(
  facts: RangeFacts,
  { segments }: LogLine<HistoryStream>,
  report: OperationContext["report"],
): number {
  let lost = 0;
  for (const { state, first, last } of rangeStates(facts)) {
    if (state === "lost") lost += last - first + 1;
    const seenAt = seenBy(segments, last);
    report({ type: "delta-range", state, first, last, ...(seenAt !== undefined && { seenAt }) });
  }
  return lost;
}

/** When a revision had been seen at the latest, RFC 3339. */
function seenBy(
  segments: readonly LogSegment<HistoryStream>[],
  revision: number,
): string | undefined {
  const segment = segments.find(({ first, last }) => first <= revision && revision <= last);
  for (const delta of segment?.stream.deltas ?? []) {
    if (delta.last < revision) continue;
    return new Date(delta.time * 1000).toISOString();
  }
  return undefined;
}

function noDeltas(where: string): BackupToolError {
  return new BackupToolError("NO_DELTAS", `${where} holds no deltas of etcd`, {
    hint: "a server writes them: see docs/server.md",
  });
}
