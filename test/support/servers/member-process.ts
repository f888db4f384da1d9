import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** Characters of the log that are kept for messages of tests. */
const KEPT = 4000;
/** Elections are quicker than by default. */
const TIMES = ["--log-level", "error", "--heartbeat-interval", "50", "--election-timeout", "500"];
const PATIENCE_MS = 120_000;

/** The etcd of one machine: an address of its own, and a data dir that outlives its processes. */
export class MemberProcess {
  readonly name: string;
  /** `host:port` of its clients. */
  readonly endpoint: string;
  readonly clientUrl: string;
  /** Where it listens for other members. */
  readonly peerUrl: string;
  /** Where other members reach it: {@link peerUrl}, or a proxy in front of it. */
  readonly advertisedPeerUrl: string;
  readonly dataDir: string;
  readonly #flags: readonly string[];
  #process: ChildProcess | undefined;
  #log = "";

  constructor(options: {
    readonly name: string;
    /** An address of loopback. */
    readonly host: string;
    readonly dataDir: string;
    readonly advertisedPeerUrl?: string | undefined;
    readonly flags?: readonly string[] | undefined;
  }) {
    const { name, host, dataDir, flags = [] } = options;
    this.name = name;
    this.endpoint = `${host}:2379`;
    this.clientUrl = `http://${this.endpoint}`;
    this.peerUrl = `http://${host}:2380`;
    this.advertisedPeerUrl = options.advertisedPeerUrl ?? this.peerUrl;
    this.dataDir = dataDir;
    this.#flags = flags;
  }

  /**
   * Starts etcd and does not wait for it. `flags` or `env` say of which cluster, where the data dir is new: etcd takes no
   * setting from both.
   */
  launch(
    flags: readonly string[] = [],
    env: Readonly<Record<string, string | undefined>> = {},
  ): void {
    if (this.isRunning) throw new Error(`${this.name} runs already`);
    const child = spawn("etcd", [...TIMES, ...this.#flags, ...flags], {
      env: {
        PATH: process.env["PATH"],
        ETCD_NAME: this.name,
        ETCD_DATA_DIR: this.dataDir,
        ETCD_LISTEN_CLIENT_URLS: this.clientUrl,
        ETCD_ADVERTISE_CLIENT_URLS: this.clientUrl,
        ETCD_LISTEN_PEER_URLS: this.peerUrl,
        ETCD_INITIAL_ADVERTISE_PEER_URLS: this.advertisedPeerUrl,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (bytes: Buffer): void => {
      this.#log = (this.#log + bytes.toString()).slice(-KEPT);
    };
    child.stdout.on("data", keep);
    child.stderr.on("data", keep);
    this.#process = child;
  }

  /** Starts etcd with the variables of a file, as systemd does. */
  launchWith(environmentFile: string): void {
    const lines = readFileSync(environmentFile, "utf8").matchAll(/^(\w+)="(.*)"$/gm);
    this.launch(
      [],
      Object.fromEntries([...lines].map(([, name = "", value = ""]) => [name, value])),
    );
  }

  get isRunning(): boolean {
    const child = this.#process;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** The end of what etcd has printed. */
  get log(): string {
    return this.#log;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Whether it answers, and its cluster has a leader. */
  async isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`${this.clientUrl}/health`, {
        signal: AbortSignal.timeout(5000),
      });
      const { health } = (await response.json()) as { health?: unknown };
      return health === "true" || health === true;
    } catch {
      return false;
    }
  }

  async untilHealthy(): Promise<void> {
    await until(`${this.name} is healthy`, async () => {
      if (!this.isRunning) throw new Error(`${this.name} has ended: ${this.#log}`);
      return await this.isHealthy();
    });
  }

  /** Ends the process as a power failure does, and resolves once it has ended. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Ends the process in order. */
  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  /** Stops the process in place: its connections stay, and it answers no more. */
  pause(): void {
    this.#process?.kill("SIGSTOP");
  }

  resume(): void {
    this.#process?.kill("SIGCONT");
  }

  /** Its disk is lost. */
  async lose(): Promise<void> {
    await this.kill();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || !this.isRunning) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    if (signal !== "SIGKILL") child.kill("SIGCONT");
    await ended;
  }
}

/** Looks until `look` is true; fails after two minutes, far longer than on an idle machine. */
export async function until(what: string, look: () => Promise<boolean>): Promise<void> {
  const begun = performance.now();
  while (!(await look())) {
    if (performance.now() - begun > PATIENCE_MS) throw new Error(`never: ${what}`);
    await sleep(100);
  }
}
