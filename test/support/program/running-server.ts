import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServerStatus, StreamRow } from "../../../src/server/status.js";
import { PASSPHRASE, PROGRAM } from "./backuptool.js";

/** A line of the log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly job?: string;
  readonly [field: string]: unknown;
}

/** What a test waits for has to happen by then, ms: far longer than on a machine that does nothing else. */
const PATIENCE_MS = 120_000;

/** A `backuptool server` of a test. */
export class RunningServer {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  readonly log: LogLine[] = [];
  /** Of standard error that is no line of the log. */
  readonly other: string[] = [];
  /** Everything that was printed. */
  output = "";
  #url = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = new Promise((resolve) => child.on("close", (code) => resolve(code)));
    let rest = "";
    child.stderr?.on("data", (bytes: Buffer) => {
      this.output += bytes.toString();
      const lines = (rest + bytes.toString()).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.#take(line);
    });
    child.stdout?.on("data", (bytes: Buffer) => {
      this.output += bytes.toString();
    });
  }

  /** Starts a server on a free port. Resolves once it listens, or has ended. */
  static async start(
    args: readonly string[],
    env: Readonly<Record<string, string | undefined>> = {},
  ): Promise<RunningServer> {
    const all = [PROGRAM, "server", "--server-port", "0", "--log-format", "json", ...args];
    const child = spawn(process.execPath, all, {
      env: {
        ...process.env,
        BACKUPTOOL_PASSPHRASE: PASSPHRASE,
        BACKUPTOOL_KDF: "low-memory",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const server = new RunningServer(child);
    await Promise.race([server.logged("Listening"), server.#ended]);
    server.#url = String(server.log.find(({ msg }) => msg === "Listening")?.["url"] ?? "");
    return server;
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Undefined while it runs. */
  get code(): number | null | undefined {
    const { exitCode, signalCode } = this.#child;
    return exitCode === null && signalCode === null ? undefined : exitCode;
  }

  async status(): Promise<ServerStatus> {
    return JSON.parse(await (await fetch(`${this.#url}/status`)).text());
  }

  /** `/snapshot/latest`; without deltas while there is no backup. */
  async latest(): Promise<{ readonly deltas?: { readonly streams: readonly StreamRow[] } }> {
    return JSON.parse(await (await fetch(`${this.#url}/snapshot/latest`)).text());
  }

  post(path: string, token?: string): Promise<Response> {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    return fetch(`${this.#url}${path}`, { method: "POST", headers });
  }

  async text(path: string): Promise<string> {
    return (await fetch(`${this.#url}${path}`)).text();
  }

  /** Resolves with the first line of the log with this message that `accept` takes. */
  async logged(message: string, accept: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    return this.until(`the message ${message}`, async () =>
      this.log.find((line) => line.msg === message && accept(line)),
    );
  }

  /** Polls until `look` gives a value. Fails with the log after two minutes. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
    const begun = performance.now();
    for (;;) {
      const found = await look();
      if (found !== undefined && found !== false) return found;
      if (this.code !== undefined)
        throw new Error(`the server ended before ${what}\n${this.output}`);
      if (performance.now() - begun > PATIENCE_MS) throw new Error(`no ${what}\n${this.output}`);
      await sleep(100);
    }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Sends a signal and waits for the end. Resolves with the exit code. */
  async stop(name: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child.kill(name);
    if (name !== "SIGKILL") this.#child.kill("SIGCONT");
    return this.#ended;
  }

  #take(line: string): void {
    try {
      this.log.push(JSON.parse(line));
    } catch {
      this.other.push(line);
    }
  }
}
