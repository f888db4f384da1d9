import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { join } from "node:path";
import { newFolder } from "../folders.js";
import { runProcess } from "../program/processes.js";
import { MemberProcess, until } from "./member-process.js";

interface MembersOptions {
  readonly count?: number;
  /** Of every etcd. */
  readonly flags?: readonly string[];
  /** The data dir of a member by its name; by default in a new folder. */
  readonly dataDir?: (name: string) => string;
  /** Resolves with the URL of a proxy in front of the peer URL of a member; by default there is none. */
  readonly peerProxy?: (peerUrl: string, name: string) => Promise<string>;
}

/**
 * The members m1, m2, … of one etcd cluster, each on a loopback address of its own (127.x.y.1, .2, …) with etcd's usual
 * ports 2379 and 2380.
 */
export class EtcdMembers {
  readonly all: readonly MemberProcess[];
  /** `127.x.y.`, the addresses of the members without their last part. */
  readonly network: string;

  private constructor(all: readonly MemberProcess[], network: string) {
    this.all = all;
    this.network = network;
  }

  /** The machines alone: no etcd runs yet. */
  static async prepare(options: MembersOptions = {}): Promise<EtcdMembers> {
    const { count = 3, flags, peerProxy } = options;
    const network = await freeNetwork(count);
    const folder = newFolder();
    const all: MemberProcess[] = [];
    for (let i = 1; i <= count; i++) {
      const name = `m${i}`;
      const host = `${network}${i}`;
      const advertisedPeerUrl = await peerProxy?.(`http://${host}:2380`, name);
      const dataDir = options.dataDir?.(name) ?? join(folder, name);
      all.push(new MemberProcess({ name, host, dataDir, flags, advertisedPeerUrl }));
    }
    return new EtcdMembers(all, network);
  }

  /** Resolves once all members are healthy. */
  static async start(options: MembersOptions = {}): Promise<EtcdMembers> {
    const members = await EtcdMembers.prepare(options);
    try {
      for (const member of members.all) {
        member.launch(["--initial-cluster", members.initialCluster]);
      }
      await members.untilHealthy();
      return members;
    } catch (error) {
      await members.kill();
      throw error;
    }
  }

  /** Member 1, 2, … */
  member(number: number): MemberProcess {
    const found = this.all[number - 1];
    if (found === undefined) throw new Error(`there is no member ${number}`);
    return found;
  }

  /** The value of etcd's `--initial-cluster` with all members. */
  get initialCluster(): string {
    return this.all.map((member) => `${member.name}=${member.advertisedPeerUrl}`).join(",");
  }

  get endpoints(): string[] {
    return this.all.map(({ endpoint }) => endpoint);
  }

  async untilHealthy(): Promise<void> {
    await Promise.all(this.all.map((member) => member.untilHealthy()));
  }

  /** Runs etcdctl on `member`, by default on all running ones. */
  async ctl(args: readonly string[], member?: MemberProcess): Promise<string> {
    const running = this.all.filter(({ isRunning }) => isRunning);
    const endpoints = (member === undefined ? running : [member]).map(({ endpoint }) => endpoint);
    const flags = ["--command-timeout=30s", `--endpoints=${endpoints.join(",")}`];
    const { code, stdout, stderr } = await runProcess("etcdctl", [...flags, ...args], {
      env: { ETCDCTL_API: "3" },
    });
    if (code !== 0) throw new Error(`etcdctl ${args.join(" ")}: ${stderr}`);
    return stdout.toString();
  }

  /** The latest revision. */
  async revision(): Promise<number> {
    const { header } = JSON.parse(await this.ctl(["get", "none", "-w", "json"]));
    return Number(header.revision);
  }

  /** The member that leads; waits for an election that is under way. */
  async leader(): Promise<MemberProcess> {
    let found: MemberProcess | undefined;
    await until("a member leads", async () => {
      for (const member of this.all.filter(({ isRunning }) => isRunning)) {
        const [one] = await this.#status(member);
        if (one?.Status.leader === one?.Status.header.member_id) found = one && member;
        if (found !== undefined) return true;
      }
      return false;
    });
    if (found === undefined) throw new Error("no member leads");
    return found;
  }

  async #status(member: MemberProcess): Promise<EndpointStatus[]> {
    const args = ["endpoint", "status", "-w", "json"];
    return JSON.parse(await this.ctl(args, member).catch(() => "[]"));
  }

  /** Ends all processes at once. */
  async kill(): Promise<void> {
    await Promise.all(this.all.map((member) => member.kill()));
  }
}

/** Of `etcdctl endpoint status -w json`, what {@link EtcdMembers} reads. */
interface EndpointStatus {
  readonly Status: {
    readonly header: { readonly member_id: number };
    readonly leader: number;
  };
}

/** `127.x.y.` of which the first `count` addresses have no listener on etcd's ports. */
async function freeNetwork(count: number): Promise<string> {
  for (;;) {
    const network = `127.${randomInt(16, 255)}.${randomInt(1, 255)}.`;
    const places = Array.from({ length: count }, (_, i) => `${network}${i + 1}`);
    const free = places.flatMap((host) => [isFree(host, 2379), isFree(host, 2380)]);
    if ((await Promise.all(free)).every(Boolean)) return network;
  }
}

function isFree(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.on("error", () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}
