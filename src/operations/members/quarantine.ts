import { type Advice, BackupToolError, withHint } from "../../errors.js";
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
    // A restore that goes another way after a damaged file begins to write again.
    if (begun) return;
    const { resumed } = await quarantine.begin(signal);
    report({ type: "etcd-quarantine", state: resumed ? "resumed" : "begun" });
    begun = true;
  };
  try {
    const result = await work(begin);
    if (await quarantine.lift(signal)) report({ type: "etcd-quarantine", state: "lifted" });
    return result;
  } catch (error) {
    if (!quarantine.mayKeepOut || !(error instanceof BackupToolError)) throw error;
    throw withHint(error, STILL_OUT);
  } finally {
    quarantine.close();
  }
}

const STILL_OUT: Advice = {
  hint: "clients may still be kept out of etcd: run the restore again, or let them in with `backuptool etcd lift-quarantine`",
  settings: ["user"],
};

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
