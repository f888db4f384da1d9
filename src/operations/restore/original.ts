import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { isOriginal } from "../../archive/original/folder.js";
import { OriginalBackup } from "../../archive/original/original-backup.js";
import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { checkOriginal } from "../inspect/original.js";
import { reportFindings } from "../open/original-objects.js";
import type { RestorePlan, RestoreStep } from "./plan.js";

/**
 * Archives of the original tool, one after the other: they do not say which of them stands on which, so
 * `bases` are taken in their order, the oldest first.
 */
export async function planOriginals(
  folder: string,
  bases: readonly string[],
  passphrase: PassphraseKeys,
  signal: AbortSignal,
): Promise<RestorePlan> {
  const opened: OriginalBackup[] = [];
  const close = async () => {
    await Promise.all(opened.map((backup) => backup.close()));
  };
  try {
    for (const path of [...bases, folder]) {
      if (!(await isOriginal(path))) {
        throw new UsageError(
          `${quoted(folder)} is an archive of the original tool, and ${quoted(path)} is none`,
          { hint: "a chain is of one kind: convert the archives of the original tool first" },
        );
      }
      opened.push(await OriginalBackup.open(path, passphrase, signal));
    }
  } catch (error) {
    await close();
    throw error;
  }
  // Each holds all records that etcd had, so the newest with any says all.
  const etcd = opened.findLastIndex((backup) => backup.summary.holdsEtcd);
  return {
    pools: [...new Set(opened.flatMap(({ summary }) => summary.pools))],
    steps: opened.map(
      (backup, at): RestoreStep => ({
        ordinal: opened.length - 1 - at,
        archives: backup.summary.archives.length,
        incremental: at > 0,
        withEtcd: at === etcd,
        visit: (number, visitor, signal) => backup.visit(number, visitor, signal),
      }),
    ),
    gaps: opened.flatMap((backup) =>
      backup.summary.gaps.map((gap) => `${quoted(backup.summary.folder)}: ${gap}`),
    ),
    items: (wanted) =>
      wanted.ceph ? opened.reduce((sum, { summary }) => sum + summary.objects, 0) : 0,
    finalState: async () => undefined,
    reportFindings: async (report) => {
      let whole = true;
      for (const backup of opened) whole = (await reportFindings(backup, report)) && whole;
      return whole;
    },
    local: true,
    check: async (context) => {
      for (const path of [...bases, folder]) await checkOriginal(path, passphrase, context);
    },
    close,
  };
}
