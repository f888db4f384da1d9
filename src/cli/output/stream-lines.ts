import type { StreamRow } from "../../operations/snapshots/events.js";
import { formatSize } from "../../size-text.js";
import { columnLine } from "./columns.js";
import type { EventLines } from "./event-lines.js";
import { holdLine, stateText } from "./row-lines.js";
import { ageText } from "./quantities.js";

const WIDTHS = [39, 20, 6, 19, 9, 7, 10];
const HEADER = ["STREAM", "TIME", "AGE", "ETCD REVISIONS", "SIZE", "DELTAS", "BASE", "STATE"];

export function streamHeader(): EventLines {
  return { out: ["", columnLine(HEADER, WIDTHS)] };
}

export function streamLines(row: StreamRow): EventLines {
  const { name, time, ageSeconds, firstRevision, lastRevision, bytes, deltas, base } = row;
  const cells = [
    name,
    time.replace(/\.\d+Z$/, "Z"),
    ageText(ageSeconds),
    lastRevision === undefined ? "-" : `${firstRevision}-${lastRevision}`,
    formatSize(bytes),
    String(deltas),
    base ?? "-",
    stateText(row),
  ];
  const problems = row.problem === undefined ? [] : [`${name}: ${row.problem}`];
  return {
    out: [columnLine(cells, WIDTHS)],
    err: [...problems, ...(row.held ?? []).map((hold) => holdLine(row, hold))],
  };
}
