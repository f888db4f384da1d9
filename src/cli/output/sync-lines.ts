import type { SyncEvent } from "../../operations/snapshots/sync-events.js";
import { formatSize } from "../../size-text.js";
import type { EventLines } from "./event-lines.js";
import { counted } from "./quantities.js";

/** The lines of an event of a sync. */
export function syncLines(event: SyncEvent): EventLines {
  switch (event.type) {
    case "sync-begun":
      return { err: [`comparing ${event.source} with ${event.target}`] };
    case "sync-plan": {
      const { copy, bytes, streams, delete: deletions } = event;
      const and = streams === 0 ? "" : ` and ${counted(streams, "stream", "streams")} of deltas`;
      const what = `${counted(copy, "snapshot", "snapshots")} to copy (${formatSize(bytes)})${and}`;
      return { err: [`found ${what} and ${deletions} to delete`] };
    }
    case "snapshot-copying":
      return { err: [`copying ${event.key}, ${formatSize(event.bytes)}`] };
    case "mirror-refused":
      return { err: [`warning: nothing is deleted from ${event.store}: ${event.reason}`] };
    case "mirror-failed":
      return { err: [`warning: no more is deleted from ${event.store}: ${event.reason}`] };
    case "sync-done": {
      const { source, target, copied, repaired, failed, deleted, lag } = event;
      const counts = `${copied} copied, ${repaired} repaired, ${failed} failed, ${deleted} deleted`;
      return { out: [`${source} to ${target}: ${counts}; ${lag.snapshots} missing`] };
    }
    case "sync-failed":
      return { err: [`NOT SYNCED: ${event.source} to ${event.target}: ${event.reason}`] };
  }
}
