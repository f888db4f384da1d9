import type { Metadata } from "../../archive/metadata.js";
import type { OperationEvent } from "../events.js";

/** Which backup is read, for those who asked for another. `bases` are read with it, its own base first. */
export function openedEvent(
  { id, kind, startedAt, finishedAt, etcd }: Metadata,
  bases: readonly Metadata[] = [],
): Extract<OperationEvent, { type: "backup-opened" }> {
  return {
    type: "backup-opened",
    id,
    kind,
    startedAt,
    finishedAt,
    ...(etcd === null ? {} : { etcdRevision: etcd.revision }),
    bases: bases.map((base) => base.id),
  };
}
