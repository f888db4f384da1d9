import { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { throwIfAborted } from "../../errors.js";
import { raceAbort } from "../../flow/race-abort.js";
import type { OperationContext } from "../context.js";

/** Keys of a passphrase. Reports a header that costs much memory or time before it is spent. */
export function passphraseKeys(
  passphrase: Uint8Array,
  report: OperationContext["report"],
): PassphraseKeys {
  return new PassphraseKeys(passphrase, (demand) => report({ type: "key-slots", ...demand }));
}

/**
 * Reports the derivation of keys while `open` runs, and its time. Rejects as soon as the signal aborts: the derivation
 * cannot be stopped, and ends with the process.
 */
export async function reportKeyDerivation<T>(
  { report, signal }: Pick<OperationContext, "report" | "signal">,
  open: () => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  const started = performance.now();
  report({ type: "keys-start" });
  const opened = await raceAbort(open(), signal);
  report({ type: "keys-done", elapsedMs: performance.now() - started });
  return opened;
}
