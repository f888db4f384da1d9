import { changesDigest } from "../../archive/delta/changes-digest.js";
import { LogError } from "../../snapshots/streams/log-errors.js";
import type { EtcdChange } from "../../sources/etcd/history.js";
import { remainingChanges } from "./base-changes.js";
import type { BaseDatabase } from "./base-database.js";
import type { HistoryLog, StoredPlan } from "./history-log.js";

/**
 * Checks that what follows the log of a plan follows it, where the plan needs that proof: before its base is read, which can
 * take minutes. Throws LogError, ArchiveError.
 */
export async function proveLog(
  log: HistoryLog,
  { revision, log: segments, proof }: StoredPlan,
  signal: AbortSignal,
): Promise<void> {
  const end = segments.at(-1);
  if (proof?.kind !== "next" || end === undefined) return;
  const last = { stream: end.stream, first: revision, last: revision };
  for await (const _ of log.joined([last, proof.segment], signal));
}

/**
 * Checks that a base holds a revision of the log with the same changes, where its plan needs that proof. Throws LogError,
 * ArchiveError, EtcdFileError.
 */
export async function proveBaseIsLive(
  log: HistoryLog,
  { base: of, proof }: StoredPlan,
  { database, facts }: BaseDatabase,
  signal: AbortSignal,
): Promise<void> {
  if (proof?.kind !== "same") return;
  const { first: revision } = proof.segment;
  let logged: readonly EtcdChange[] = [];
  for await (const [one] of log.segment(proof.segment, signal)) logged = one?.changes ?? [];
  const held = await remainingChanges(database, revision, signal);
  if (held !== undefined && digestsAgree(held, logged)) return;
  const isWhole = facts.compactRevision < revision;
  if (held !== undefined && isWhole) {
    const message = `${of.name} has other changes of revision ${revision} than the deltas`;
    throw new LogError("LOG_FORK", revision, message);
  }
  // A compaction removes deletions, and leaves what the revision has put.
  const puts = logged.filter(({ deleted }) => !deleted);
  if (held !== undefined && facts.compactRevision === revision && digestsAgree(held, puts)) return;
  const message = `nothing shows that ${of.name} has the changes of revision ${revision} that the deltas have`;
  throw new LogError("LOG_UNPROVEN", revision, message);
}

function digestsAgree(a: readonly EtcdChange[], b: readonly EtcdChange[]): boolean {
  return Buffer.compare(changesDigest(a), changesDigest(b)) === 0;
}
