import { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import { throwIfAborted } from "../../errors.js";
import { raceAbort } from "../../flow/race-abort.js";
import type { OperationContext } from "../context.js";

/** Keys of a passphrase; reports a header that asks for much memory or time before that is spent. */
export function passphraseKeys(
  passphrase: Uint8Array,
  report: OperationContext["report"],
): PassphraseKeys {
  return new PassphraseKeys(passphrase, (demand) => report({ type: "key-slots", ...demand }));
}

/**
 * Reports that keys are derived while `open` runs, and how long it took. Rejects as soon as the signal aborts: a
 * derivation cannot be stopped, and ends with the process.
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
