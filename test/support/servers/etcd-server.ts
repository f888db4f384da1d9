import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Etcd3 } from "etcd3";
import { newFolder } from "../folders.js";
import { runProcess } from "../program/processes.js";

/** An etcd for one test, which may clear, stop or fill it. */
export class EtcdServer {
  readonly endpoint: string;
  readonly #scheme: string;
  readonly #peer: string;
  readonly #folder: string;
  readonly #flags: readonly string[];
  readonly #ctlFlags: readonly string[];
  #process: ChildProcess | undefined;
  #client: Etcd3 | undefined;

  private constructor(
    ports: number[],
    flags: readonly string[],
    ctlFlags: readonly string[],
    folder: string,
  ) {
    this.endpoint = `127.0.0.1:${ports[0]}`;
    this.#scheme = flags.includes("--cert-file") ? "https" : "http";
    this.#peer = `http://127.0.0.1:${ports[1]}`;
    this.#folder = folder;
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
    return await EtcdServer.#tried(() => join(newFolder(), "etcd"), flags, ctlFlags);
  }

  /** Starts the only member of a cluster on its data dir. */
  static async startOn(
    dataDir: string,
    flags: readonly string[] = [],
    ctlFlags: readonly string[] = [],
  ): Promise<EtcdServer> {
    return await EtcdServer.#tried(() => dataDir, flags, ctlFlags);
  }

  static async #tried(
    folder: () => string,
    flags: readonly string[],
    ctlFlags: readonly string[],
  ): Promise<EtcdServer> {
    for (let tries = 1; ; tries++) {
      const server = new EtcdServer(
        [await freePort(), await freePort()],
        flags,
        ctlFlags,
        folder(),
      );
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
    this.#client?.close();
    this.#client = undefined;
    const running = this.#process;
    if (running === undefined || hasEnded(running)) return;
    const ended = new Promise((resolve) => running.once("exit", resolve));
    running.kill("SIGKILL");
    await ended;
  }

  /** Starts again from its own snapshot, as after a disaster. The cluster keeps its id, unless it gets another token. */
  async restoreFrom(snapshot: string, token?: string): Promise<void> {
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
      ...(token === undefined ? [] : ["--initial-cluster-token", token]),
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

  /** etcd3's client, for a server without TLS and login: a second opinion on what is in etcd. */
  get client(): Etcd3 {
    this.#client ??= new Etcd3({
      hosts: `http://${this.endpoint}`,
      grpcOptions: { "grpc.max_receive_message_length": -1 },
    });
    return this.#client;
  }

  /** Puts bytes that a command line cannot hold. */
  async put(key: Buffer, value: Buffer): Promise<void> {
    await patiently(() => this.client.kv.put({ key, value }));
  }

  /** Puts many keys, in transactions of 100. */
  async putMany(pairs: readonly (readonly [key: string, value: string])[]): Promise<void> {
    for (let at = 0; at < pairs.length; at += 100) {
      const success = pairs.slice(at, at + 100).map(([key, value]) => ({
        request_put: { key: Buffer.from(key), value: Buffer.from(value) },
      }));
      await patiently(() => this.client.kv.txn({ success }));
    }
  }

  /** Grants a lease. Returns its id in hexadecimal. */
  async grant(seconds: number): Promise<string> {
    const { ID } = await this.client.leaseClient.leaseGrant({ TTL: seconds });
    return BigInt(ID).toString(16);
  }

  /** The granted TTL, seconds, and the keys of every lease. */
  async leases(): Promise<{ ttl: number; keys: string[] }[]> {
    const { leases } = await patiently(() => this.client.leaseClient.leaseLeases());
    const details = leases.map(({ ID }) =>
      patiently(() => this.client.leaseClient.leaseTimeToLive({ ID, keys: true })),
    );
    return (await Promise.all(details))
      .map(({ grantedTTL, keys }) => ({ ttl: Number(grantedTTL), keys: keys.map(String).sort() }))
      .sort((a, b) => a.ttl - b.ttl);
  }

  /** The latest revision. Quick, for a test that waits for the first write. */
  async revision(): Promise<number> {
    const { header } = await patiently(() => this.client.kv.range({ key: Buffer.from("none") }));
    return Number(header.revision);
  }

  /** Every key and value as etcd3's client reads them, base64; those of `revision` where it is given. */
  async pairs(revision = 0): Promise<[string, string][]> {
    const all = { key: Buffer.of(0), range_end: Buffer.of(0), revision };
    const { kvs } = await patiently(() => this.client.kv.range(all));
    return kvs.map(({ key, value }) => [key.toString("base64"), value.toString("base64")]);
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
      const busy = /timed out|leader changed|no leader|deadline exceeded|circuit/i.test(`${error}`);
      if (!busy || tries === CALLS) throw error;
      await sleep(100);
    }
  }
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
