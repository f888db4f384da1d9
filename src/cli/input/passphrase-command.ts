import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { BackupToolError, InterruptedError } from "../../errors.js";
import { CommandComplaints } from "./command-complaints.js";
import type { Terminal } from "../process/terminal.js";

const SHELL = "/bin/sh";
/** Longer than any passphrase. */
const MAX_PRINTED_BYTES = 1 << 20;
/** How long standard error is read on when the command has ended and a process of its own keeps it open, ms. */
const LINGER_MS = 500;

/**
 * What a shell command prints. It has no standard input to wait for; its standard error is passed on, so that it can
 * ask or complain. No error repeats the command, which may hold a secret. Throws `PASSPHRASE_COMMAND`,
 * InterruptedError.
 */
export function passphraseFromCommand(
  flag: string,
  command: string,
  { signal, stderr }: Pick<Terminal, "signal" | "stderr">,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): Error =>
      signal.aborted
        ? new InterruptedError()
        : new BackupToolError("PASSPHRASE_COMMAND", `the command of --${flag} ${why}`, {
            hint: "run it by hand to see what is wrong with it",
          });
    let child: ChildProcessByStdio<null, Readable, Readable>;
    // Node's own errors hold the command, in their words or in fields: their code is enough.
    try {
      child = spawn(SHELL, ["-c", command], { signal, stdio: ["ignore", "pipe", "pipe"] });
    } catch (error) {
      reject(failed(`cannot be started (${codeOf(error)})`));
      return;
    }
    child.on("error", (error) => reject(failed(`cannot be started (${codeOf(error)})`)));
    const printed: Buffer[] = [];
    let length = 0;
    child.stdout.on("data", (bytes: Buffer) => {
      length += bytes.length;
      if (length <= MAX_PRINTED_BYTES) {
        printed.push(bytes);
        return;
      }
      reject(failed(`prints more than ${MAX_PRINTED_BYTES} bytes`));
      child.kill();
      child.stdout.destroy();
      child.stderr.destroy();
    });
    const complaints = new CommandComplaints(SHELL, (text) => stderr.write(text));
    child.stderr.on("data", (bytes: Buffer) => complaints.add(bytes));
    child.on("exit", () => {
      const stop = () => setTimeout(() => child.stderr.destroy(), LINGER_MS);
      if (child.stdout.closed) stop();
      else child.stdout.once("close", stop);
    });
    child.on("close", (code, killedBy) => {
      complaints.end();
      if (code === 0) resolve(Buffer.concat(printed));
      else reject(failed(killedBy === null ? wordsOf(code) : `was ended by ${killedBy}`));
    });
  });
}

/** What the shell says in words that quote the command, it also says by these codes (POSIX, 2.8.2). */
function wordsOf(code: number | null): string {
  if (code === 126) return "names a program that cannot be run (exit code 126)";
  if (code === 127) return "names a program that does not exist (exit code 127)";
  return `failed with exit code ${code}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
