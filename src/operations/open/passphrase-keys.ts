import { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { OperationContext } from "../context.js";

/** Keys of a passphrase, which report a header that asks for much before it is spent. */
export function passphraseKeys(
  passphrase: Uint8Array,
  report: OperationContext["report"],
): PassphraseKeys {
  return new PassphraseKeys(passphrase, (demand) => report({ type: "key-slots", ...demand }));
}
