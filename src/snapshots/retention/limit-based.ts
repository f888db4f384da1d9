import { isFull, type PolicyRules } from "./evaluated.js";
import type { LimitBasedPolicy } from "./policy.js";

/** The newest full backups are kept, each with all incrementals of its chains. */
export const limitBased: PolicyRules<LimitBasedPolicy> = function* ({ maxBackups }, snapshots) {
  const kept = new Set<string>();
  for (const one of snapshots.filter(isFull).slice(0, maxBackups)) {
    kept.add(one.id);
    yield [one, { code: "newest-full", words: `of the ${maxBackups} newest full backups` }];
  }
  for (const one of snapshots) {
    if (isFull(one) || !kept.has(one.full)) continue;
    yield [one, { code: "incremental-of", words: "incremental of a full backup that is kept" }];
  }
};
