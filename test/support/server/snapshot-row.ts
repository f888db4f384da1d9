import type { SnapshotRow } from "../../../src/operations/snapshots/events.js";

/** A complete snapshot in a listing. */
export function snapshotRow(name: string, id: string, base?: string): SnapshotRow {
  return {
    key: `cluster-a/${name}:0-9`,
    name,
    kind: base === undefined ? "full" : "incremental",
    time: "2026-11-28T02:00:00.000Z",
    ageSeconds: 60,
    firstRevision: 0,
    lastRevision: 9,
    id,
    ...(base !== undefined && { base }),
    files: 4,
    bytes: 1000,
    primary: "complete",
  };
}
