import { BackupToolError } from "../../errors.js";
import type { OperationContext } from "../context.js";
import type { HistoryAccess } from "./history-access.js";
import { findMoment } from "./plan/moment.js";

/** The revision of etcd at a time. */
export interface RevisionAtTime {
  readonly revision: number;
  /** False where the log lacks what came after it, so that a later revision may be of that time too. */
  readonly complete: boolean;
}

/**
 * The last revision that was seen at a time or before it, ms since 1970: the deltas around that time are read. Throws
 * `TIME_NOT_HELD` where all that is held is later.
 */
export async function resolveTime(
  { history, log }: Pick<HistoryAccess, "history" | "log">,
  timeMs: number,
  { report, signal }: Pick<OperationContext, "report" | "signal">,
): Promise<RevisionAtTime> {
  const time = new Date(timeMs).toISOString();
  const { least, reading, next } = findMoment(history.bases, history.streams, timeMs, [
    ...history.bases,
    ...history.damaged,
  ]);
  let revision = least;
  for (const segment of reading) {
    for await (const batch of log.segment(segment, signal)) {
      for (const one of batch) {
        if (one.seenMs > timeMs) return found(revision, time, history.where);
        revision = one.revision;
      }
    }
  }
  const { revision: last } = found(revision, time, history.where);
  if (next === "nothing") {
    const message = `no later revision than ${last} is known: it is the state at ${time} if etcd's deltas were written until then`;
    report({ type: "note", message });
    return { revision: last, complete: true };
  }
  const message =
    next === "restored"
      ? `revision ${last} is the last one that is known to be of ${time} or before; etcd was restored to an earlier revision after it, and it is not known whether that was before ${time}`
      : `no delta holds revision ${last + 1}, so it is not known when it was made: revision ${last} is the last one that is known to be of ${time} or before`;
  report({ type: "warning", message });
  return { revision: last, complete: false };
}

function found(revision: number | undefined, time: string, where: string): RevisionAtTime {
  if (revision !== undefined) return { revision, complete: true };
  throw new BackupToolError(
    "TIME_NOT_HELD",
    `all of etcd that ${where} holds is later than ${time}`,
  );
}
