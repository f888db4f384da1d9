import type { BackupReader } from "../../archive/backup-reader.js";
import { ContentsCheck } from "../../archive/contents-check.js";
import { checkContents } from "../inspect/inspect.js";
import { type OpenedBackup, openedEvent } from "../open/open-backup.js";
import { etcdDepth, FinalState } from "./final-state.js";
import { missingBase } from "./missing-base.js";
import type { IndexFindings, RestorePlan, RestoreStep } from "./plan.js";

/**
 * Plans the restore of a backup and its bases. With `withIndex`, the contents are compared with the index; without it, a
 * backup alone is restored even if its INDEX.bin is damaged.
 */
export function planChain(
  opened: OpenedBackup,
  { withIndex, signal }: { readonly withIndex: boolean; readonly signal: AbortSignal },
): RestorePlan {
  const { backup, bases, local } = opened;
  const chain = [backup, ...bases];
  const records = etcdDepth(chain);
  const checks: ContentsCheck[] = [];
  const steps = chain.map((member, ordinal): RestoreStep => {
    const check = new ContentsCheck(member, { signal, withIndex });
    checks.push(check);
    return {
      ordinal,
      archives: member.archives.length,
      incremental: member.metadata.base !== null,
      withEtcd: ordinal < records,
      items: (number) => check.items(number),
    };
  });
  return {
    opened: openedEvent(opened),
    pools: [...new Set(chain.flatMap(({ metadata }) => metadata.ceph?.pools ?? []))],
    steps: steps.reverse(),
    gaps: [],
    local,
    count: (wanted) => countItems(chain, wanted),
    check: async (context) => {
      for (const member of chain) await checkContents(member, context);
    },
    readIndexes: async (target, { checked, signal }): Promise<IndexFindings> => {
      const all = withIndex && !checked;
      if (bases.length > 0) return { final: await FinalState.load(chain, { all, signal }) };
      if (backup.metadata.base !== null) {
        return { missingBase: await missingBase(backup, target, { withIndex, signal }) };
      }
      if (all) await backup.checkIndex({ signal });
      return {};
    },
    close: async () => {
      for (const check of checks) await check.close();
    },
  };
}

/** Counts each object once, and every record of the backups that {@link etcdDepth} includes. */
function countItems(
  chain: readonly BackupReader[],
  wanted: { etcd: boolean; ceph: boolean },
): number {
  const records = chain
    .slice(0, etcdDepth(chain))
    .reduce((sum, { metadata }) => sum + metadata.counts.records, 0);
  const { objects = 0, unchangedObjects = 0 } = chain[0]?.metadata.counts ?? {};
  const inCeph = objects + (chain.length > 1 ? unchangedObjects : 0);
  return (wanted.ceph ? inCeph : 0) + (wanted.etcd ? records : 0);
}
