import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { InterruptedError } from "../../errors.js";
import { CommandComplaints } from "../../settings/command-complaints.js";
import type { Environment } from "../../snapstore/settings/roles.js";
import { AlertError, type AlertMessage } from "./message.js";

export interface AlertCommandOptions {
  /** For the shell. May contain a secret: it is in no message. */
  readonly command: string;
  /** Of the server; the command gets what {@link PASSED_ON} names. */
  readonly env: Environment;
  /** The command and what it started in its process group are killed after so long, ms. */
  readonly timeoutMs?: number | undefined;
  /** Receives the standard error of the command, line by line. */
  readonly onOutput: (text: string) => void;
}

const SHELL = "/bin/sh";
const TIMEOUT_MS = 60_000;
/** How long to read standard error after the end of the command, when a process it started keeps it open, ms. */
const LINGER_MS = 500;
/** No credentials of stores are among them. */
const PASSED_ON = ["PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"];

/** Starts a shell command for each message, which it gets as JSON on standard input. */
export class AlertCommand {
  readonly name = "command";
  readonly #options: AlertCommandOptions;

  constructor(options: AlertCommandOptions) {
    this.#options = options;
  }

  /** One try. Throws AlertError, InterruptedError. */
  send(message: AlertMessage, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      let late = false;
      const failed = (why: string): Error =>
        signal.aborted
          ? new InterruptedError()
          : new AlertError(`the alert command ${late ? "took too long and was ended" : why}`, true);
      if (signal.aborted) return reject(failed("was not started"));
      let child: ChildProcessByStdio<Writable, null, Readable>;
      // Errors of Node hold the command in their message or fields.
      try {
        child = spawn(SHELL, ["-c", this.#options.command], {
          env: this.#environment(message),
          stdio: ["pipe", "ignore", "pipe"],
          // A process group of its own, which a signal reaches as a whole.
          detached: true,
        });
      } catch {
        return reject(failed("cannot be started"));
      }
      const kill = () => killGroup(child.pid);
      const timer = setTimeout(() => {
        late = true;
        kill();
      }, this.#options.timeoutMs ?? TIMEOUT_MS);
      signal.addEventListener("abort", kill, { once: true });
      const end = (error?: Error) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", kill);
        if (error === undefined) resolve();
        else reject(error);
      };
      const complaints = new CommandComplaints(SHELL, this.#options.onOutput);
      child.stderr.on("data", (bytes: Buffer) => complaints.add(bytes));
      // A command need not read what it gets.
      child.stdin.on("error", () => {});
      child.stdin.end(`${JSON.stringify(message)}\n`);
      child.on("error", () => end(failed("cannot be started")));
      child.on("exit", () => setTimeout(() => child.stderr.destroy(), LINGER_MS));
      child.on("close", (code, killedBy) => {
        complaints.end();
        if (code === 0 && !late) end();
        else
          end(
            failed(
              killedBy === null ? `failed with exit code ${code}` : `was ended by ${killedBy}`,
            ),
          );
      });
    });
  }

  close(): void {}

  #environment({ name, status, site }: AlertMessage): Record<string, string> {
    const passedOn = PASSED_ON.flatMap((variable) => {
      const value = this.#options.env[variable];
      return value === undefined ? [] : [[variable, value] as const];
    });
    return {
      ...Object.fromEntries(passedOn),
      BACKUPTOOL_ALERT: name,
      BACKUPTOOL_ALERT_STATUS: status,
      ...(site !== undefined && { BACKUPTOOL_ALERT_SITE: site }),
    };
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
