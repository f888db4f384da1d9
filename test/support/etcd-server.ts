import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newFolder } from "./folders.js";
import { runProcess } from "./processes.js";

/** A record as etcdctl prints it. Key and value are base64. */
export interface PrintedRecord {
  readonly key: string;
  readonly value?: string;
  readonly create_revision: number;
  readonly mod_revision: number;
  readonly version: number;
  readonly lease?: number;
}

/** An etcd of its own for a test, which may then clear, stop or fill it. */
export class EtcdServer {
  readonly endpoint: string;
  readonly #scheme: string;
  readonly #peer: string;
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #ctlFlags: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(ports: number[], flags: readonly string[], ctlFlags: readonly string[]) {
    this.endpoint = `127.0.0.1:${ports[0]}`;
    this.#scheme = flags.includes("--cert-file") ? "https" : "http";
    this.#peer = `http://127.0.0.1:${ports[1]}`;
    this.#folder = join(newFolder(), "etcd");
    this.#flags = flags;
    this.#ctlFlags = ctlFlags;
  }

  /** @param ctlFlags what etcdctl needs to get in */
  static async start(
    flags: readonly string[] = [],
    ctlFlags: readonly string[] = [],
  ): Promise<EtcdServer> {
    const server = new EtcdServer([await freePort(), await freePort()], flags, ctlFlags);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    const url = `${this.#scheme}://${this.endpoint}`;
    const peer = this.#peer;
    const args = [
      ...["--name", "test", "--data-dir", this.#folder, "--log-level", "error"],
      ...["--listen-client-urls", url, "--advertise-client-urls", url],
      ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer],
      ...["--initial-cluster", `test=${peer}`],
      ...["--heartbeat-interval", "50", "--election-timeout", "250"],
      ...this.#flags,
    ];
    this.#process = spawn("etcd", args, { stdio: "ignore" });
    for (let i = 0; i < 200; i++) {
      const { code } = await runProcess("etcdctl", [...this.#ctl(), "endpoint", "health"], CTL_ENV);
      if (code === 0) return;
      if (this.#process.exitCode !== null) break;
      await sleep(50);
    }
    throw new Error("etcd does not start");
  }

  async stop(): Promise<void> {
    const running = this.#process;
    if (running === undefined || running.exitCode !== null) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  async ctl(...args: string[]): Promise<string> {
    return (await this.ctlWith("", ...args)).toString();
  }

  /** etcdctl with something on its standard input. */
  async ctlWith(input: string | Uint8Array, ...args: string[]): Promise<Buffer> {
    const { code, stdout, stderr } = await runProcess("etcdctl", [...this.#ctl(), ...args], {
      input,
      ...CTL_ENV,
    });
    if (code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
    return stdout;
  }

  /** Puts bytes that a command line cannot hold, through etcd's JSON gateway. */
  async put(key: Uint8Array, value: Uint8Array): Promise<void> {
    await this.#post("put", { key: base64(key), value: base64(value) });
  }

  /** Puts many keys, in transactions of 100. */
  async putMany(pairs: readonly (readonly [key: string, value: string])[]): Promise<void> {
    for (let at = 0; at < pairs.length; at += 100) {
      const success = pairs.slice(at, at + 100).map(([key, value]) => ({
        request_put: { key: base64(Buffer.from(key)), value: base64(Buffer.from(value)) },
      }));
      await this.#post("txn", { success });
    }
  }

  /** Grants a lease; its id in hexadecimal. */
  async grant(seconds: number): Promise<string> {
    const said = await this.ctl("lease", "grant", `${seconds}`);
    return /lease ([0-9a-f]+) granted/.exec(said)?.[1] ?? "";
  }

  /** What every living lease was granted for, seconds, and its keys. */
  async leases(): Promise<{ ttl: number; keys: string[] }[]> {
    const [, ...ids] = (await this.ctl("lease", "list")).trim().split("\n");
    const said = ids.map((id) => this.ctl("lease", "timetolive", id, "--keys"));
    const leases = (await Promise.all(said)).map((line) => {
      const [, ttl, keys = ""] = /TTL\((\d+)s\).*keys\(\[(.*)\]\)/.exec(line) ?? [];
      const sorted = keys
        .split(" ")
        .filter((key) => key !== "")
        .sort();
      return { ttl: Number(ttl), keys: sorted };
    });
    return leases.sort((a, b) => a.ttl - b.ttl);
  }

  /** The latest revision. Quick, for a test that waits for the first write. */
  async revision(): Promise<number> {
    const answer = await this.#post("range", { key: base64(Buffer.from("none")) });
    return Number((answer as { header: { revision: string } }).header.revision);
  }

  async #post(method: string, body: unknown): Promise<unknown> {
    const url = `http://${this.endpoint}/v3/kv/${method}`;
    const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method}: ${await answer.text()}`);
    return await answer.json();
  }

  /** Every record, as etcdctl reads it. */
  async dump(): Promise<PrintedRecord[]> {
    const { kvs = [] } = JSON.parse(await this.ctl("get", "", "--prefix", "-w", "json"));
    return kvs;
  }

  /** Keys and values alone: what a restore brings back. */
  async pairs(): Promise<[string, string][]> {
    return (await this.dump()).map(({ key, value = "" }) => [key, value]);
  }

  #ctl(): string[] {
    return [
      "--command-timeout=30s",
      `--endpoints=${this.#scheme}://${this.endpoint}`,
      ...this.#ctlFlags,
    ];
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

const CTL_ENV = { env: { ETCDCTL_API: "3" } };

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        resolve(address !== null && typeof address === "object" ? address.port : 0),
      );
    });
  });
}
