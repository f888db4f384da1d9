import { InterruptedError, UsageError } from "../../errors.js";
import { readInputFile } from "../../files/input-file.js";
import { quoted } from "../../quoted.js";
import type { newPassphraseFlags, passphraseFlags } from "../flags.js";
import { passphraseFromCommand } from "./passphrase-command.js";
import { ask } from "./prompts.js";
import { type Warn, warnIfOpenToOthers } from "../../files/secret-files.js";
import type { Terminal } from "../process/terminal.js";
import type { Values } from "../values.js";

/** Where one passphrase comes from. */
interface PassphraseSource {
  readonly file: keyof PassphraseArgs;
  readonly command: keyof PassphraseArgs;
  readonly variable: string;
  readonly question: string;
}

type PassphraseArgs = Values<typeof passphraseFlags> & Values<typeof newPassphraseFlags>;

export const PASSPHRASE: PassphraseSource = {
  file: "passphrase-file",
  command: "passphrase-command",
  variable: "BACKUPTOOL_PASSPHRASE",
  question: "please enter the encryption passphrase:",
};

export const NEW_PASSPHRASE: PassphraseSource = {
  file: "new-passphrase-file",
  command: "new-passphrase-command",
  variable: "BACKUPTOOL_NEW_PASSPHRASE",
  question: "please enter the passphrase of the new backup:",
};

/**
 * The bytes of a passphrase as they were given: from the flags, else from the environment, else asked for twice on
 * the terminal as the original does. Never waits where nobody can answer.
 *
 * @throws UsageError, InterruptedError, BackupToolError `PASSPHRASE_COMMAND`
 */
export async function readPassphrase(
  source: PassphraseSource,
  args: Partial<PassphraseArgs>,
  terminal: Terminal,
  warn: Warn,
): Promise<Uint8Array> {
  const { env } = terminal;
  const file = args[source.file];
  const command = args[source.command];
  if (command !== undefined) {
    return await passphraseFromCommand(source.command, command, terminal);
  }
  if (file !== undefined) return await fromFile(file, terminal, warn);
  const given = env[source.variable];
  if (given !== undefined) return Buffer.from(given);
  // A question that went into a log would wait for ever.
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY) {
    const which = source === PASSPHRASE ? "passphrase" : "passphrase of the new backup";
    throw new UsageError(`there is no ${which}, and no terminal to ask for it`, {
      hint: `use --${source.file}, --${source.command} or ${source.variable}`,
    });
  }
  const [first = "", second] = await ask([source.question, "same again:"], terminal);
  if (first !== second) throw new UsageError("the two passphrases are not the same");
  return Buffer.from(first);
}

async function fromFile(path: string, { signal }: Terminal, warn: Warn): Promise<Uint8Array> {
  try {
    const bytes = await readInputFile(path, signal);
    warnIfOpenToOthers("the passphrase file", path, warn);
    return bytes;
  } catch (cause) {
    if (cause instanceof InterruptedError) throw cause;
    throw new UsageError(`the passphrase file ${quoted(path)} cannot be read`, {
      cause,
      hint: cause instanceof Error ? cause.message : undefined,
    });
  }
}
