import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CephOptions } from "../../../src/sources/ceph/cluster.js";
import { newFolder } from "../folders.js";
import { runProcess } from "../program/processes.js";

const SCRIPT = fileURLToPath(new URL("../../../../scripts/dev-cluster", import.meta.url));

type Daemon = "mon.a" | "osd.0" | "etcd";

/** A Ceph and an etcd for one test, which may stop their daemons. */
export class DevCluster {
  /** The variables of `scripts/dev-cluster env`. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    const exports = readFileSync(join(folder, "env"), "utf8").matchAll(/^export (\w+)=(.*)$/gm);
    this.env = Object.fromEntries([...exports].map(([, name = "", value = ""]) => [name, value]));
  }

  /**
   * @param pools names of pools to make, instead of those of the script
   * @param fsid of the Ceph cluster, instead of a random one
   */
  static async start(pools?: readonly string[], fsid?: string): Promise<DevCluster> {
    const folder = join(newFolder(), "cluster");
    await script(["up", folder], {
      ...(pools === undefined ? {} : { POOLS: pools.join(" ") }),
      ...(fsid === undefined ? {} : { FSID: fsid }),
    });
    return new DevCluster(folder);
  }

  stop(daemon: Daemon): Promise<void> {
    return script(["stop", daemon, this.#folder]);
  }

  /** Kills a daemon at once. `stop` removes what is left of it. */
  kill(daemon: Daemon): void {
    const [pid = ""] = readFileSync(join(this.#folder, "pids", daemon), "utf8").split(" ");
    process.kill(Number(pid), "SIGKILL");
  }

  start(daemon: Daemon): Promise<void> {
    return script(["start", daemon, this.#folder]);
  }

  /** Succeeds when nothing is up, too. */
  down(): Promise<void> {
    return script(["down", this.#folder]);
  }

  /** Flags for this Ceph and etcd. */
  get flags(): string[] {
    return [...this.cephFlags, "--etcd", this.env["ETCD_ENDPOINT"] ?? ""];
  }

  /** Flags for this Ceph. */
  get cephFlags(): string[] {
    const { conf, keyring = "" } = this.options();
    return ["--cephconf", conf, "--keyring", keyring];
  }

  options(more: Partial<CephOptions> = {}): CephOptions {
    const { CEPH_CONF: conf = "", CEPH_KEYRING_ADMIN: keyring } = this.env;
    return { conf, keyring, ...more };
  }
}

async function script(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const { code, stderr } = await runProcess(SCRIPT, args, { env });
  if (code !== 0) throw new Error(`dev-cluster ${args.join(" ")}: ${stderr}`);
}
