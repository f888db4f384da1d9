import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { BackupToolError, InterruptedError } from "../errors.js";
import { CommandComplaints } from "./command-complaints.js";

const SHELL = "/bin/sh";
/** Longer than any passphrase. */
const MAX_PRINTED_BYTES = 1 << 20;
/** How long to read standard error after the end of the command, when a process it started keeps it open, ms. */
const LINGER_MS = 500;

/**
 * The output of a shell command. It has no standard input; its standard error is passed on to `stderr`. No error repeats
 * the command, which may hold a secret. Throws `PASSPHRASE_COMMAND`, InterruptedError.
 */
export function passphraseFromCommand(
  setting: string,
  command: string,
  { signal, stderr }: { readonly signal: AbortSignal; readonly stderr: Pick<Writable, "write"> },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const failed = (why: string): Error =>
      signal.aborted
        ? new InterruptedError()
        : new BackupToolError("PASSPHRASE_COMMAND", `the passphrase command ${why}`, {
            hint: "run it by hand to see what is wrong with it",
            settings: [setting],
          });
    let child: ChildProcessByStdio<null, Readable, Readable>;
    // Errors of Node hold the command in their message or fields; only the code is safe.
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

/** By the exit codes of the shell itself (POSIX, 2.8.2), whose messages quote the command. */
function wordsOf(code: number | null): string {
  if (code === 126) return "names a program that cannot be run (exit code 126)";
  if (code === 127) return "names a program that does not exist (exit code 127)";
  return `failed with exit code ${code}`;
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
