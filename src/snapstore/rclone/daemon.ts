import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { type BackupToolError, throwIfAborted } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import type { RcloneConfig } from "../config.js";
import { StoreError } from "../errors.js";
import { HttpClient } from "../http/client.js";
import { callError } from "../http/failure.js";
import { machineVariables } from "./environment.js";
import { rcloneFailure } from "./failure.js";
import { LastWords } from "./last-words.js";

/** Longest wait for rclone to serve, milliseconds: it is a large program, and a machine may be busy. */
const START_MS = 60_000;
/** Longest wait for the end of a rclone that dropped a call, milliseconds. */
const END_MS = 1000;
/** The idle time is long because moving a large object on its server is one call. */
const DEADLINES = { connectMs: 10_000, idleMs: 600_000 };
/** What the store's place is called in rclone's configuration: an alias, so that names need no quoting. */
export const REMOTE = "backuptoolstore:";

interface Running {
  readonly child: ChildProcess;
  readonly guard: ChildProcess;
  readonly url: string;
  readonly authorization: string;
}

/** One `rclone rcd` on loopback with a password of its own, for one store. */
export class RcloneDaemon {
  readonly store: string;
  readonly #config: RcloneConfig;
  readonly #http = new HttpClient({}, DEADLINES);
  #running: Promise<Running> | undefined;
  /** Of the process that was started last. */
  #words: LastWords | undefined;
  #closed = false;

  constructor(config: RcloneConfig, store: string) {
    this.#config = config;
    this.store = store;
  }

  /** Where it is, and how to get in; starts it when it does not run. */
  async at(): Promise<{ url: string; authorization: string }> {
    // Nobody would end it again.
    if (this.#closed) throw new StoreError("STORE_FAILED", "it is closed", { store: this.store });
    this.#running ??= this.#start().catch((error) => {
      this.#running = undefined;
      throw error;
    });
    return await this.#running;
  }

  /** One call of rclone's remote control. https://rclone.org/rc/ */
  async call(
    operation: string,
    parameters: Readonly<Record<string, unknown>>,
    about: { key: string; signal?: AbortSignal | undefined },
  ): Promise<Readonly<Record<string, unknown>>> {
    const context = { ...about, store: this.store };
    try {
      throwIfAborted(about.signal);
      const { url, authorization } = await this.at();
      const answer = await this.#http.send({
        method: "POST",
        url: new URL(`${url}${operation}`),
        headers: { authorization, "content-type": "application/json" },
        body: [Buffer.from(JSON.stringify(parameters))],
        signal: about.signal,
      });
      if (!answer.ok) throw await rcloneFailure(answer, context);
      return (await answer.json()) as Record<string, unknown>;
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
      const { url, authorization } = await this.at();
      const names = path.split("/").map(encodeURIComponent).join("/");
      const answer = await this.#http.send({
        method: "GET",
        url: new URL(`${url}%5B${REMOTE}%5D/${names}`),
        headers: { authorization, range: `bytes=${range.first}-${range.last}` },
        signal: about.signal,
      });
      if (!answer.ok) throw await rcloneFailure(answer, context);
      yield* answer.pieces();
    } catch (error) {
      throw await this.explained(callError(error, context));
    }
  }

  /** The error of a call with what rclone said, where the call failed because rclone ended. */
  async explained(error: BackupToolError): Promise<BackupToolError> {
    const words = this.#words;
    if (this.#closed || words === undefined) return error;
    if (!(error instanceof StoreError) || !LOST.test(codeIn(error.cause))) return error;
    try {
      await withDeadline(END_MS, undefined, () => words.ended);
    } catch {
      return error;
    }
    return words.error(error.code, `${error.reason}; rclone ended`, this.store, error.cause);
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
    // Secrets never go where every user of the machine reads them: into arguments. What would change
    // rclone's log, its remote control or what it does is not passed on.
    const env = {
      ...machineVariables(process.env),
      ...this.#config.environment,
      RCLONE_RC_USER: "backuptool",
      RCLONE_RC_PASS: password,
      RCLONE_CONFIG_BACKUPTOOLSTORE_TYPE: "alias",
      RCLONE_CONFIG_BACKUPTOOLSTORE_REMOTE: place,
      // There is nobody to type the password of an encrypted rclone.conf.
      RCLONE_ASK_PASSWORD: "false",
      // A decorator around the store tries again, by the kind of error.
      RCLONE_RETRIES: "1",
      RCLONE_LOW_LEVEL_RETRIES: "1",
      ...(configFile !== undefined && { RCLONE_CONFIG: configFile }),
    };
    const args = ["rcd", "--rc-addr", "127.0.0.1:0", "--rc-serve"];
    const forever = ["--rc-server-read-timeout", "0", "--rc-server-write-timeout", "0"];
    const child = spawn(program, [...args, ...forever], {
      env,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const words = new LastWords(child, this.#config);
    this.#words = words;
    return new Promise((resolve, reject) => {
      const fail = (error: StoreError) => {
        clearTimeout(timer);
        child.kill("SIGKILL");
        reject(error);
      };
      const absent = (said: string, cause?: unknown) => {
        const hint = "install rclone (Debian: apt-get install rclone), or give its path";
        const options = { store: this.store, cause, hint };
        fail(new StoreError("STORE_FAILED", `rclone does not start: ${said}`, options));
      };
      const timer = setTimeout(absent, START_MS, "it does not serve in time");
      child.once("error", (error) => absent(error.message, error));
      child.once("exit", () => {
        this.#running = undefined;
      });
      words.ended.then(() =>
        fail(words.error("STORE_FAILED", "rclone does not start", this.store)),
      );
      const serving = () => {
        const [, url] = /Serving remote control on (http:\S+\/)/.exec(words.raw) ?? [];
        if (url === undefined || child.pid === undefined) return;
        clearTimeout(timer);
        child.stderr.off("data", serving);
        const authorization = `Basic ${Buffer.from(`backuptool:${password}`).toString("base64")}`;
        const guard = guardOf(child.pid);
        // Nobody else would end it, and its pipe would keep this process alive.
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

/** Ends rclone when this process is no more, however it ended: their pipe closes then. */
function guardOf(pid: number): ChildProcess {
  const guard = spawn("/bin/sh", ["-c", 'read -r _; kill "$0"', String(pid)], {
    env: {},
    stdio: ["pipe", "ignore", "ignore"],
  });
  guard.on("error", () => {});
  return guard;
}
