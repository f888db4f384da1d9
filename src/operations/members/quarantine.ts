import { BackupToolError, withHint } from "../../errors.js";
import type { EtcdOptions } from "../../sources/etcd/options.js";
import { EtcdQuarantine } from "../../sources/etcd/quarantine.js";
import type { OperationContext } from "../context.js";

type Context = Pick<OperationContext, "signal" | "report">;

/**
 * Keeps clients out of etcd from the call of `begin` by `work` to its end. Where it fails after that, they stay out: etcd
 * would serve a part of a backup.
 *
 * @param work `begin` throws `ETCD_QUARANTINE` where clients cannot be kept out
 */
export async function inQuarantine<T>(
  etcd: EtcdOptions,
  { signal, report }: Context,
  work: (begin: () => Promise<void>) => Promise<T>,
): Promise<T> {
  const quarantine = await EtcdQuarantine.open(etcd, signal);
  let begun = false;
  const begin = async (): Promise<void> => {
    const { resumed } = await quarantine.begin(signal);
    begun = true;
    report({ type: "etcd-quarantine", state: resumed ? "resumed" : "begun" });
  };
  try {
    let result: T;
    try {
      result = await work(begin);
    } catch (error) {
      if (!begun || !(error instanceof BackupToolError)) throw error;
      const hint =
        "clients are still kept out of etcd: run the restore again, or let them in with `backuptool etcd lift-quarantine`";
      throw withHint(error, { hint, settings: ["user"] });
    }
    if (await quarantine.lift(signal)) report({ type: "etcd-quarantine", state: "lifted" });
    return result;
  } finally {
    quarantine.close();
  }
}

/** Ends a quarantine that a run has left. */
export async function liftQuarantine(
  etcd: EtcdOptions,
  { signal, report }: Context,
): Promise<void> {
  const quarantine = await EtcdQuarantine.open(etcd, signal);
  try {
    const lifted = await quarantine.lift(signal);
    report({ type: "etcd-quarantine", state: lifted ? "lifted" : "none" });
  } finally {
    quarantine.close();
  }
}
