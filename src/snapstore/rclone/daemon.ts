import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type BackupToolError, throwIfAborted } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import type { RcloneConfig } from "../config.js";
import { StoreError } from "../errors.js";
import { HttpClient } from "../http/client.js";
import { callError } from "../http/failure.js";
import { machineVariables } from "./environment.js";
import { rcloneError } from "./failure.js";
import { ProcessOutput } from "./process-output.js";

/** Timeout for the start of rclone, milliseconds: it is a large program, and the machine may be busy. */
const START_MS = 60_000;
/** Timeout for the end of an rclone that dropped a connection, milliseconds. */
const END_MS = 1000;
/** The idle timeout is long, since moving a large object on its server is one call. */
const DEADLINES = { connectMs: 10_000, idleMs: 600_000 };
/** Remote of the store in rclone's configuration: an alias, so that its path needs no quoting. */
export const REMOTE = "backuptoolstore:";

interface Running {
  readonly child: ChildProcess;
  readonly guard: ChildProcess;
  readonly url: string;
  readonly authorization: string;
}

/** An `rclone rcd` for one store, on loopback with a random password. */
export class RcloneDaemon {
  readonly store: string;
  readonly #config: RcloneConfig;
  readonly #http = new HttpClient({}, DEADLINES);
  #running: Promise<Running> | undefined;
  /** Output of the last process. */
  #output: ProcessOutput | undefined;
  #closed = false;

  constructor(config: RcloneConfig, store: string) {
    this.#config = config;
    this.store = store;
  }

  /** Address and authorization of the daemon, which is started if it is not running. */
  async connect(): Promise<{ url: string; authorization: string }> {
    if (this.#closed) {
      throw new StoreError("STORE_FAILED", "the store is closed", { store: this.store });
    }
    this.#running ??= this.#start().catch((error) => {
      this.#running = undefined;
      throw error;
    });
    return await this.#running;
  }

  /** Calls rclone's remote control. https://rclone.org/rc/ */
  async call(
    operation: string,
    parameters: Readonly<Record<string, unknown>>,
    about: { key: string; signal?: AbortSignal | undefined },
  ): Promise<Readonly<Record<string, unknown>>> {
    const context = { ...about, store: this.store };
    try {
      throwIfAborted(about.signal);
      const { url, authorization } = await this.connect();
      const response = await this.#http.send({
        method: "POST",
        url: new URL(`${url}${operation}`),
        headers: { authorization, "content-type": "application/json" },
        body: [Buffer.from(JSON.stringify(parameters))],
        signal: about.signal,
      });
      if (!response.ok) throw rcloneError(response.status, await response.text(), context);
      return (await response.json()) as Record<string, unknown>;
    } catch (error) {
      throw await this.explained(callError(error, context));
    }
  }

  /** The bytes of a file, from `first` to `last`. */
  async *read(
    path: string,
    range: { first: number; last: number },
    about: { key: string; signal?: AbortSignal | undefined },
  ): AsyncGenerator<Uint8Array, void, void> {
    const context = { ...about, store: this.store };
    try {
      throwIfAborted(about.signal);
      const { url, authorization } = await this.connect();
      const names = path.split("/").map(encodeURIComponent).join("/");
      const response = await this.#http.send({
        method: "GET",
        url: new URL(`${url}%5B${REMOTE}%5D/${names}`),
        headers: { authorization, range: `bytes=${range.first}-${range.last}` },
        signal: about.signal,
      });
      if (!response.ok) throw rcloneError(response.status, await response.text(), context);
      yield* response.pieces();
    } catch (error) {
      throw await this.explained(callError(error, context));
    }
  }

  /** Adds rclone's output to the error of a call that failed because rclone ended. */
  async explained(error: BackupToolError): Promise<BackupToolError> {
    const output = this.#output;
    if (this.#closed || output === undefined) return error;
    if (!(error instanceof StoreError) || !LOST.test(codeIn(error.cause))) return error;
    try {
      await withDeadline(END_MS, undefined, () => output.ended);
    } catch {
      return error;
    }
    return output.error(error.code, `${error.reason}; rclone ended`, this.store, error.cause);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#http.close();
    const running = await this.#running?.catch(() => undefined);
    this.#running = undefined;
    if (running === undefined) return;
    const { child, guard } = running;
    guard.kill("SIGKILL");
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 2000);
    await ended;
    clearTimeout(timer);
  }

  #start(): Promise<Running> {
    const { program = "rclone", configFile, container, prefix } = this.#config;
    const password = randomBytes(24).toString("hex");
    const place =
      prefix === ""
        ? container
        : `${container.replace(/([^:])\/+$/, "$1")}${/[:/]$/.test(container) ? "" : "/"}${prefix}`;
    // Secrets are passed in variables, since every user of the machine can read arguments. Variables that change
    // rclone's log or its remote control are not passed on.
    const env = {
      ...machineVariables(process.env),
      ...this.#config.environment,
      RCLONE_RC_USER: "backuptool",
      RCLONE_RC_PASS: password,
      RCLONE_CONFIG_BACKUPTOOLSTORE_TYPE: "alias",
      RCLONE_CONFIG_BACKUPTOOLSTORE_REMOTE: place,
      // Do not ask for the password of an encrypted rclone.conf.
      RCLONE_ASK_PASSWORD: "false",
      // RetryingStore retries.
      RCLONE_RETRIES: "1",
      RCLONE_LOW_LEVEL_RETRIES: "1",
      ...(configFile !== undefined && { RCLONE_CONFIG: configFile }),
    };
    const args = ["rcd", "--rc-addr", "127.0.0.1:0", "--rc-serve"];
    const noTimeouts = ["--rc-server-read-timeout", "0", "--rc-server-write-timeout", "0"];
    const child = spawn(program, [...args, ...noTimeouts], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const output = new ProcessOutput(child, this.#config);
    this.#output = output;
    return new Promise((resolve, reject) => {
      const fail = (error: StoreError) => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(error);
      };
      const notStarted = (reason: string, cause?: unknown) => {
        const hint = "install rclone (Debian: apt-get install rclone), or set its path";
        const options = { store: this.store, cause, hint };
        fail(new StoreError("STORE_FAILED", `rclone does not start: ${reason}`, options));
      };
      const timer = setTimeout(notStarted, START_MS, "it does not serve in time");
      child.once("error", (error) => notStarted(error.message, error));
      child.once("exit", () => {
        this.#running = undefined;
      });
      output.ended.then(() =>
        fail(output.error("STORE_FAILED", "rclone does not start", this.store)),
      );
      const serving = () => {
        const [, url] = /Serving remote control on (http:\S+\/)/.exec(output.text) ?? [];
        if (url === undefined || child.pid === undefined) return;
        clearTimeout(timer);
        child.stderr.off("data", serving);
        const authorization = `Basic ${Buffer.from(`backuptool:${password}`).toString("base64")}`;
        const guard = guardOf(child.pid);
        // The pipe of the guard would keep this process alive.
        child.once("exit", () => guard.kill("SIGKILL"));
        resolve({ child, guard, url, authorization });
      };
      child.stderr.on("data", serving);
    });
  }
}

const LOST = /^(ECONNRESET|ECONNREFUSED|EPIPE)$/;

function codeIn(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

/** Ends rclone when this process has ended, even by a signal: that closes the pipe of the guard. */
function guardOf(pid: number): ChildProcess {
  const guard = spawn("/bin/sh", ["-c", 'read -r _; kill "$0"', String(pid)], {
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.on("error", () => {});
  return guard;
}
