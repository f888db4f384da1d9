import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { quoted } from "../../quoted.js";
import { checkOriginal } from "../inspect/original.js";
import type { OpenedOriginal } from "../open/open-backup.js";
import { reportFindings } from "../open/original-objects.js";
import type { RestorePlan, RestoreStep } from "./plan.js";

/** Plans the restore of archives of the original tool, one after the other: they do not name their bases. */
export function planOriginals(
  { backup, bases }: OpenedOriginal,
  passphrase: PassphraseKeys,
): RestorePlan {
  const backups = [backup, ...bases].reverse();
  // Each holds all records of etcd, so only the newest with records counts.
  const etcd = backups.findLastIndex(({ summary }) => summary.holdsEtcd);
  return {
    pools: [...new Set(backups.flatMap(({ summary }) => summary.pools))],
    steps: backups.map(
      (member, at): RestoreStep => ({
        ordinal: backups.length - 1 - at,
        archives: member.summary.archives.length,
        incremental: at > 0,
        withEtcd: at === etcd,
        items: (number, signal) => member.archiveItems(number, signal),
      }),
    ),
    gaps: backups.flatMap(({ summary }) =>
      summary.gaps.map((gap) => `${quoted(summary.folder)}: ${gap}`),
    ),
    local: true,
    count: (wanted) =>
      wanted.ceph ? backups.reduce((sum, { summary }) => sum + summary.objects, 0) : 0,
    check: async (context) => {
      for (const { summary } of backups) await checkOriginal(summary.folder, passphrase, context);
    },
    reportFindings: async (report) => {
      let whole = true;
      for (const member of backups) whole = (await reportFindings(member, report)) && whole;
      return whole;
    },
    close: async () => {},
  };
}
