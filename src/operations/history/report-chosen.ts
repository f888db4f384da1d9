import type { OperationContext } from "../context.js";
import type { OpenedPlan } from "./follow-plan.js";
import type { StoredHistory } from "./stored-history.js";

/** Reports which moment it is and what it was made of; to be called when the log was read. */
export function reportChosen(
  { where }: Pick<StoredHistory, "where">,
  { plan, facts, seenMs }: OpenedPlan,
  report: OperationContext["report"],
): void {
  const { base, revision, log } = plan;
  report({
    type: "etcd-history",
    revision,
    ...(seenMs !== undefined && { seenAt: new Date(seenMs).toISOString() }),
    base: base.name,
    baseRevision: base.revision,
    baseFinishedAt: new Date(base.takenMs).toISOString(),
    revisionsOfDeltas: Math.max(0, revision - base.revision),
    streams: [...new Set(log.map(({ stream }) => stream.name.text))],
    where,
    hasUsers: facts.hasUsers,
  });
}
