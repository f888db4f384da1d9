import { UsageError } from "../../errors.js";
import type { Warn } from "../../files/secret-files.js";
import { settingVariable } from "../../settings/environment.js";
import {
  givenPassphrase,
  type PassphraseName,
  type PassphraseValues,
} from "../../settings/passphrase.js";
import type { Terminal } from "../process/terminal.js";
import { ask } from "./prompts.js";

const WORDS = {
  passphrase: { name: "passphrase", question: "please enter the encryption passphrase:" },
  "new-passphrase": {
    name: "passphrase of the new backup",
    question: "please enter the passphrase of the new backup:",
  },
} as const;

/**
 * The bytes of a passphrase: from settings, or else asked for twice on the terminal, as in the original tool. An error
 * where a question cannot be answered.
 *
 * @throws UsageError, InterruptedError, BackupToolError `PASSPHRASE_COMMAND`
 */
export async function readPassphrase(
  which: PassphraseName,
  values: PassphraseValues,
  { terminal, warn }: { readonly terminal: Terminal; readonly warn: Warn },
): Promise<Uint8Array> {
  const { stdin, stderr, signal, env } = terminal;
  const given = await givenPassphrase(which, values, { env, warn, signal, stderr });
  if (given !== undefined) return given;
  const { name, question } = WORDS[which];
  // A question in a log would wait forever.
  if (!stdin.isTTY || !stderr.isTTY) {
    throw new UsageError(`there is no ${name}, and no terminal to ask for it`, {
      hint: `use --${which}-file, --${which}-command or ${settingVariable(which)}`,
    });
  }
  const [first = "", second] = await ask([question, "same again:"], terminal);
  if (first !== second) throw new UsageError("the two passphrases are not the same");
  return Buffer.from(first);
}
