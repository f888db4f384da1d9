import type { SnapshotEvent } from "../../operations/snapshots/events.js";
import { columnLine } from "./columns.js";
import type { EventLines } from "./event-lines.js";
import { counted } from "./quantities.js";

type RetentionEvent = Extract<
  SnapshotEvent,
  {
    type:
      | "retention-begun"
      | "retention-decision"
      | "snapshot-not-deleted"
      | "retention"
      | "snapshot-held"
      | "snapshot-released";
  }
>;

const WIDTHS = [39, 12, 20, 6];
const HEADER = ["NAME", "KIND", "TIME", "PRUNE", "REASON"];

/** The lines of retention and of holds. Only a dry run prints the table of all decisions. */
export function retentionLines(event: RetentionEvent): EventLines {
  switch (event.type) {
    case "retention-begun":
      return event.dryRun && event.snapshots > 0 ? { out: [columnLine(HEADER, WIDTHS)] } : {};
    case "retention-decision": {
      if (!event.dryRun) return {};
      const { snapshot, kind, time, keep, reasons } = event;
      const why = reasons.map(({ words }) => words).join("; ");
      const cells = [snapshot, kind, time.replace(/\.\d+Z$/, "Z"), keep ? "keep" : "DELETE", why];
      return { out: [columnLine(cells, WIDTHS)] };
    }
    case "snapshot-not-deleted":
      return { err: [`NOT DELETED: ${event.snapshot} in ${event.store}: ${event.reason}`] };
    case "retention": {
      const { store, kept, deleted, failed, dryRun } = event;
      const counts = dryRun
        ? `${kept} to keep, ${deleted} to delete`
        : `${kept} kept, ${deleted} deleted, ${failed} failed`;
      return { out: [`${store}: ${counts}`] };
    }
    case "snapshot-held": {
      const { snapshot, store, bases } = event;
      const below = bases.length === 0 ? "" : `, with ${counted(bases.length, "base", "bases")}`;
      return { out: [`held ${snapshot} in ${store}${below}`] };
    }
    case "snapshot-released":
      return { out: [`released ${event.snapshot} in ${event.store}`] };
  }
}
