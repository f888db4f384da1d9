import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newFolder } from "../folders.js";
import { runProcess } from "../program/processes.js";

/** A record as etcdctl prints it. Key and value are base64. */
export interface PrintedRecord {
  readonly key: string;
  readonly value?: string;
  readonly create_revision: number;
  readonly mod_revision: number;
  readonly version: number;
  readonly lease?: number;
}

/** An etcd for one test, which may clear, stop or fill it. */
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

  /**
   * On a busy machine an etcd may fail to start: then another one is tried, with new ports and a new folder.
   *
   * @param ctlFlags what etcdctl needs to get in
   */
  static async start(
    flags: readonly string[] = [],
    ctlFlags: readonly string[] = [],
  ): Promise<EtcdServer> {
    for (let tries = 1; ; tries++) {
      const server = new EtcdServer([await freePort(), await freePort()], flags, ctlFlags);
      try {
        await server.start();
        return server;
      } catch (error) {
        await server.stop();
        if (tries === STARTS) throw error;
      }
    }
  }

  async start(): Promise<void> {
    await this.stop();
    const url = `${this.#scheme}://${this.endpoint}`;
    const peer = this.#peer;
    const args = [
      "--name",
      "test",
      "--data-dir",
      this.#folder,
      "--log-level",
      "error",
      "--listen-client-urls",
      url,
      "--advertise-client-urls",
      url,
      "--listen-peer-urls",
      peer,
      "--initial-advertise-peer-urls",
      peer,
      "--initial-cluster",
      `test=${peer}`,
      "--heartbeat-interval",
      "50",
      "--election-timeout",
      "250",
      ...this.#flags,
    ];
    const child = spawn("etcd", args, { stdio: "ignore" });
    this.#process = child;
    const begun = performance.now();
    let said = "";
    while (!hasEnded(child) && performance.now() - begun < MOST_START_MS) {
      const health = [...this.#ctl(), "endpoint", "health"];
      const { code, stderr } = await runProcess("etcdctl", health, CTL_ENV);
      if (code === 0) return;
      said = stderr;
      await sleep(50);
    }
    throw new Error(`etcd does not start: ${hasEnded(child) ? "it has ended" : said}`);
  }

  async stop(): Promise<void> {
    const running = this.#process;
    if (running === undefined || hasEnded(running)) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  /** Starts again from its own snapshot, as after a disaster. The cluster keeps its id. */
  async restoreFrom(snapshot: string): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true });
    await this.ctl(
      "snapshot",
      "restore",
      snapshot,
      "--data-dir",
      this.#folder,
      "--name",
      "test",
      "--initial-cluster",
      `test=${this.#peer}`,
      "--initial-advertise-peer-urls",
      this.#peer,
    );
    await this.start();
  }

  async ctl(...args: string[]): Promise<string> {
    return (await this.ctlWith("", ...args)).toString();
  }

  /** Runs etcdctl with this standard input. */
  async ctlWith(input: string | Uint8Array, ...args: string[]): Promise<Buffer> {
    const run = async (): Promise<Buffer> => {
      const { code, stdout, stderr } = await runProcess("etcdctl", [...this.#ctl(), ...args], {
        input,
        ...CTL_ENV,
      });
      if (code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    return MAY_BE_REPEATED.test(args.join(" ")) ? await patiently(run) : await run();
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

  /** Grants a lease. Returns its id in hexadecimal. */
  async grant(seconds: number): Promise<string> {
    const said = await this.ctl("lease", "grant", `${seconds}`);
    return /lease ([0-9a-f]+) granted/.exec(said)?.[1] ?? "";
  }

  /** The granted TTL, seconds, and the keys of every lease. */
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

  /** Only for reads and puts: the call may be repeated. */
  #post(method: string, body: unknown): Promise<unknown> {
    const url = `http://${this.endpoint}/v3/kv/${method}`;
    return patiently(async () => {
      const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
      if (!answer.ok) throw new Error(`${method}: ${await answer.text()}`);
      return await answer.json();
    });
  }

  /** All records, as etcdctl reads them. */
  async dump(): Promise<PrintedRecord[]> {
    const { kvs = [] } = JSON.parse(await this.ctl("get", "", "--prefix", "-w", "json"));
    return kvs;
  }

  /** Only keys and values: what a restore writes. */
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

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Repeats a call that etcd was too busy to answer: elections are short. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const busy = /timed out|leader changed|no leader|deadline exceeded/.test(`${error}`);
      if (!busy || tries === CALLS) throw error;
      await sleep(100);
    }
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

const CTL_ENV = { env: { ETCDCTL_API: "3" } };
const STARTS = 5;
const MOST_START_MS = 120_000;
const CALLS = 20;
/** Commands that do no harm when etcd has executed them the first time. */
const MAY_BE_REPEATED = /^(put|get|del|endpoint|lease (list|timetolive))\b/;
/** Below the ports that the kernel gives to clients and those of scripts/dev-cluster, so that none is taken meanwhile. */
const PORTS = { first: 10_000, count: 10_000 };

export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + randomInt(PORTS.count);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
