import type { SnapshotEvent, SnapshotRow } from "../../operations/snapshots/events.js";
import { formatSize } from "../../size-text.js";
import { ageText, counted } from "./quantities.js";
import type { EventLines } from "./event-lines.js";
import { retentionLines } from "./retention-lines.js";
import { columnLine } from "./columns.js";
import { holdLine, stateText } from "./row-lines.js";
import { streamHeader, streamLines } from "./stream-lines.js";
import { syncLines } from "./sync-lines.js";

/** The lines of an event of a snapstore. */
export function snapshotLines(event: SnapshotEvent): EventLines {
  switch (event.type) {
    case "store-retrying": {
      const seconds = Math.ceil(event.forMs / 1000);
      return { err: [`warning: ${event.reason}; retrying for up to ${seconds} s`] };
    }
    case "snapshot-begun":
      return { err: [`writing snapshot ${event.snapshot} to ${event.store}`] };
    case "snapshot-stored": {
      const { key, store, secondary } = event;
      const where = secondary === undefined ? store : `${store} and ${secondary}`;
      return { out: [`SNAPSHOT DONE; ${key} is in ${where}`] };
    }
    case "snapshot-chosen":
      return { err: [`reading snapshot ${event.snapshot} from ${event.store}`] };
    case "snapshots":
      if (event.count === 0) return { err: ["there are no snapshots"] };
      return { out: [columnLine(HEADER, WIDTHS)] };
    case "snapshot":
      return {
        out: [columnLine(cells(event), WIDTHS)],
        err: [...problemLines(event), ...(event.held ?? []).map((hold) => holdLine(event, hold))],
      };
    case "streams":
      return streamHeader();
    case "stream":
      return streamLines(event);
    case "snapshot-damaged":
      return { out: [`damaged: ${event.snapshot}/${event.file}: ${event.reason}`] };
    case "snapshot-verified": {
      const { snapshot, store, files, bytes, filesRead, bytesRead, damaged } = event;
      const all = `${snapshot} in ${store}: ${counted(files, "file", "files")}, ${formatSize(bytes)}`;
      const read = filesRead === 0 ? "sizes only" : `${filesRead} read (${formatSize(bytesRead)})`;
      return { out: [`${all}; ${read}; ${damaged === 0 ? "good" : `${damaged} damaged`}`] };
    }
    case "snapshot-deleted": {
      const { snapshot, store, files, bytes, dryRun } = event;
      const what = `${snapshot} in ${store}: ${counted(files, "file", "files")}, ${formatSize(bytes)}`;
      return { out: [`${dryRun ? "would delete" : "deleted"} ${what}`] };
    }
    case "snapshot-kept":
      return {
        err: [`${event.snapshot} in ${event.store} is unfinished, and too recent to be deleted`],
      };
    case "retention-begun":
    case "retention-decision":
    case "snapshot-not-deleted":
    case "retention":
    case "snapshot-held":
    case "snapshot-released":
      return retentionLines(event);
    case "uploads-aborted":
      return {
        out: [`aborted ${counted(event.count, "stale upload", "stale uploads")} in ${event.store}`],
      };
    case "snapshot-copied": {
      const { snapshot, outcome, files, copiedFiles, copiedBytes } = event;
      if (outcome === "present") return { out: [`there already: ${snapshot}`] };
      const what = `${copiedFiles} of ${counted(files, "file", "files")}, ${formatSize(copiedBytes)}`;
      const repaired = `warning: the target had ${snapshot} incomplete, or with other content`;
      return {
        out: [`${outcome} ${snapshot}: ${what}`],
        err: outcome === "repaired" ? [repaired] : [],
      };
    }
    case "snapshot-not-copied":
      return { err: [`NOT COPIED: ${event.snapshot}: ${event.reason}`] };
    case "copied": {
      const { source, target, copied, repaired, present, failed } = event;
      const counts = `${copied} copied, ${repaired} repaired, ${present} there already, ${failed} failed`;
      return { out: [`${source} to ${target}: ${counts}`] };
    }
    default:
      return syncLines(event);
  }
}

const WIDTHS = [39, 12, 20, 6, 19, 9, 6, 38];
const HEADER = ["NAME", "KIND", "TIME", "AGE", "ETCD REVISIONS", "SIZE", "FILES", "BASE", "STATE"];

function cells(row: SnapshotRow): string[] {
  return [
    row.name,
    row.kind,
    row.time.replace(/\.\d+Z$/, "Z"),
    ageText(row.ageSeconds),
    row.lastRevision === 0 ? "-" : `${row.firstRevision}-${row.lastRevision}`,
    formatSize(row.bytes),
    String(row.files),
    row.baseName ?? "-",
    stateText(row),
  ];
}

function problemLines({ name, problem }: SnapshotRow): string[] {
  return problem === undefined ? [] : [`${name}: ${problem}`];
}
