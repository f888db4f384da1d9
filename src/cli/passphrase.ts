import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { BackupToolError, InterruptedError, UsageError } from "../errors.js";
import { quoted } from "../quoted.js";
import type { newPassphraseFlags, passphraseFlags } from "./flags.js";
import { ask } from "./prompts.js";
import type { Terminal } from "./terminal.js";
import type { Values } from "./values.js";

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
 * A passphrase: from the flags, else from the environment, else asked for twice on the terminal as
 * the original does. Never waits where nobody can answer.
 *
 * @throws UsageError, InterruptedError
 */
export async function readPassphrase(
  source: PassphraseSource,
  args: Partial<PassphraseArgs>,
  terminal: Terminal,
): Promise<Uint8Array> {
  const { env } = terminal;
  const file = args[source.file];
  const command = args[source.command];
  if (command !== undefined) {
    return notEmpty(await fromCommand(source.command, command, terminal.signal));
  }
  if (file !== undefined) return notEmpty(await fromFile(file));
  const given = env[source.variable];
  if (given !== undefined) return notEmpty(Buffer.from(given));
  // A question that went into a log would wait for ever.
  if (!terminal.stdin.isTTY || !terminal.stderr.isTTY) {
    const which = source === PASSPHRASE ? "passphrase" : "passphrase of the new backup";
    throw new UsageError(`there is no ${which}, and no terminal to ask for it`, {
      hint: `use --${source.file}, --${source.command} or ${source.variable}`,
    });
  }
  const [first = "", second] = await ask([source.question, "same again:"], terminal);
  if (first !== second) throw new UsageError("the two passphrases are not the same");
  return notEmpty(Buffer.from(first));
}

async function fromFile(path: string): Promise<Uint8Array> {
  try {
    return firstLine(await readFile(path));
  } catch (cause) {
    throw new UsageError(`the passphrase file ${quoted(path)} cannot be read`, {
      cause,
      hint: cause instanceof Error ? cause.message : undefined,
    });
  }
}

/** Its standard error is ours, so that it can ask or complain; it has no standard input to wait for. */
function fromCommand(flag: string, command: string, signal: AbortSignal): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => {
      const message = `--${flag} ${quoted(command)} failed: ${why}`;
      reject(
        signal.aborted
          ? new InterruptedError()
          : new BackupToolError("PASSPHRASE_COMMAND", message, { cause }),
      );
    };
    const child = spawn(command, { shell: true, signal, stdio: ["ignore", "pipe", "inherit"] });
    const printed: Buffer[] = [];
    child.stdout.on("data", (bytes: Buffer) => printed.push(bytes));
    child.on("error", (cause) => fail(cause.message, cause));
    child.on("close", (code, killed) => {
      if (code === 0) resolve(firstLine(Buffer.concat(printed)));
      else fail(killed === null ? `exit code ${code}` : `ended by ${killed}`);
    });
  });
}

/** What stands before the first line end. */
function firstLine(bytes: Buffer): Uint8Array {
  const end = bytes.indexOf(0x0a);
  const line = end < 0 ? bytes : bytes.subarray(0, end);
  return line.at(-1) === 0x0d ? line.subarray(0, -1) : line;
}

function notEmpty(passphrase: Uint8Array): Uint8Array {
  if (passphrase.length === 0) throw new UsageError("the passphrase is empty");
  return passphrase;
}
