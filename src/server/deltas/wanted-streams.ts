import { keptNames } from "../../operations/snapshots/retention.js";
import { planStreams } from "../../replication/sync/stream-plan.js";
import type { SyncOptions } from "../../settings/server-options.js";
import type { Site as SiteName } from "../status.js";
import type { ListedHistory } from "./stored-log.js";

interface WantedOptions {
  readonly sync: Pick<SyncOptions, "mirror"> | undefined;
  readonly retention: Parameters<typeof keptNames>[1];
}

/**
 * Names of the streams that a site would keep once it had all that the other sites have: what its retention has deleted
 * must not be copied back, with its bases, at each start. Undefined where all are wanted.
 */
export function wantedStreams(
  target: SiteName,
  listed: ReadonlyMap<SiteName, ListedHistory>,
  { sync, retention }: WantedOptions,
  now: Date,
): ReadonlySet<string> | undefined {
  // A mirror has no retention of its own.
  if (target === "secondary" && sync?.mirror !== undefined) return undefined;
  const { snapshots, streams } = listed.get(target) ?? { snapshots: [], streams: [] };
  const others = [...listed].filter(([site]) => site !== target);
  const source = others.flatMap(([, history]) => history.streams);
  const { after } = planStreams({ source, target: streams });
  return keptNames({ snapshots, streams: after }, retention, now);
}
