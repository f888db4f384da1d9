import type { HistoryEvent } from "../../operations/history/events.js";
import { quoted } from "../../quoted.js";
import { formatSize } from "../../size-text.js";
import type { EventLines } from "./event-lines.js";
import { counted } from "./quantities.js";

/** The lines of an event of etcd's history. */
export function historyLines(event: HistoryEvent): EventLines {
  switch (event.type) {
    case "etcd-history":
      return { err: [chosenLine(event), asOfBase(event)] };
    case "etcd-goes-on":
      return {
        err: [
          `etcd goes on after its revision ${event.revision}: its clients see each restored key as a new change, and watchers get an event for it; keys that etcd alone has stay`,
        ],
      };
    case "etcd-snapshot-made": {
      const { file, revision, bytes, sha256, method } = event;
      const what = `revision ${revision}, ${formatSize(bytes)} (${bytes} bytes), SHA-256 ${sha256}`;
      return {
        out: [`ETCD SNAPSHOT DONE; ${quoted(file)}: ${what}`],
        err: [`written by way of ${method}`, ...unknownLeases(event.unknownLeases)],
      };
    }
    case "history-compacted": {
      const { snapshot, revision, bytes } = event;
      return {
        out: [`COMPACT DONE; ${snapshot} holds etcd revision ${revision} (${formatSize(bytes)})`],
      };
    }
    case "base-compared":
      return comparedLines(event);
    case "delta-range": {
      const { state, first, last, seenAt } = event;
      const until = seenAt === undefined ? "" : `, seen by ${seenAt}`;
      return { out: [`${state}: revisions ${first} to ${last}${until}`] };
    }
    case "deltas-verified": {
      const { where, deltas, bytes, damaged, lost, different } = event;
      const read = `${counted(deltas, "delta", "deltas")} read (${formatSize(bytes)})`;
      const found = `${damaged} damaged, ${counted(lost, "revision", "revisions")} lost`;
      const compared =
        different === 0 ? "" : `, ${counted(different, "raw snapshot", "raw snapshots")} different`;
      return { out: [`${where.join(" and ")}: ${read}; ${found}${compared}`] };
    }
    case "etcd-data-dir-made": {
      const { folder, member, revision, tool } = event;
      return {
        out: [
          `ETCD DATA DIR DONE; ${quoted(folder)}: member ${quoted(member)}, revision ${revision}`,
        ],
        err: [`made by ${tool}`, ...unknownLeases(event.unknownLeases)],
      };
    }
  }
}

function chosenLine({
  revision,
  seenAt,
  base,
  baseRevision,
  baseFinishedAt,
  revisionsOfDeltas,
  streams,
  where,
}: Extract<HistoryEvent, { type: "etcd-history" }>): string {
  const when = seenAt === undefined ? "" : `, seen at ${seenAt}`;
  const from = `raw snapshot of revision ${baseRevision} in ${base}, finished ${baseFinishedAt}`;
  const deltas =
    revisionsOfDeltas === 0
      ? ""
      : ` and ${counted(revisionsOfDeltas, "revision", "revisions")} of deltas in ${streams.join(", ")}`;
  return `etcd revision ${revision}${when}: from ${where}, ${from}${deltas}`;
}

function asOfBase({
  baseRevision,
  hasUsers,
}: Extract<HistoryEvent, { type: "etcd-history" }>): string {
  const users = hasUsers ? "users, roles, alarms" : "users and roles (there are none), alarms";
  return `no delta holds ${users} and the version of the cluster: they are as of revision ${baseRevision}`;
}

function unknownLeases(count: number): string[] {
  if (count === 0) return [];
  const leases = counted(count, "lease", "leases");
  return [`${leases} that no backup knows any more: --unknown-lease-ttl decides when they expire`];
}

function comparedLines({
  base,
  outcome,
  older,
  first,
  last,
  difference,
}: Extract<HistoryEvent, { type: "base-compared" }>): EventLines {
  const what = `${base} and ${older} with the revisions ${first} to ${last} of deltas`;
  if (outcome === "proven") return { out: [`equal: ${what}`] };
  if (outcome === "merged") return { out: [`equal, since it was merged of them: ${what}`] };
  if (outcome === "another-history") {
    const why = difference === undefined ? "" : `: ${difference}`;
    return { out: [`of another history, after a restore of etcd: ${what}${why}`] };
  }
  return { out: [`DIFFERENT: ${what}: ${difference ?? "they are not equal"}`] };
}
