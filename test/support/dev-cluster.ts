import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { newFolder } from "./folders.js";
import { runProcess } from "./processes.js";

const SCRIPT = fileURLToPath(new URL("../../../scripts/dev-cluster", import.meta.url));

/** A Ceph and an etcd of its own for a test that stops their daemons. */
export class DevCluster {
  /** As `scripts/dev-cluster env` has it. */
  readonly env: Readonly<Record<string, string>>;
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    const exports = readFileSync(join(folder, "env"), "utf8").matchAll(/^export (\w+)=(.*)$/gm);
    this.env = Object.fromEntries([...exports].map(([, name = "", value = ""]) => [name, value]));
  }

  static async start(): Promise<DevCluster> {
    const folder = join(newFolder(), "cluster");
    await script("up", folder);
    return new DevCluster(folder);
  }

  stop(daemon: "mon.a" | "osd.0" | "etcd"): Promise<void> {
    return script("stop", daemon, this.#folder);
  }

  start(daemon: "mon.a" | "osd.0" | "etcd"): Promise<void> {
    return script("start", daemon, this.#folder);
  }

  down(): Promise<void> {
    return script("down", this.#folder);
  }

  /** Flags that lead there. */
  get flags(): string[] {
    const { CEPH_CONF = "", CEPH_KEYRING_ADMIN = "", ETCD_ENDPOINT = "" } = this.env;
    return ["--cephconf", CEPH_CONF, "--keyring", CEPH_KEYRING_ADMIN, "--etcd", ETCD_ENDPOINT];
  }
}

async function script(...args: string[]): Promise<void> {
  const { code, stderr } = await runProcess(SCRIPT, args);
  if (code !== 0) throw new Error(`dev-cluster ${args.join(" ")}: ${stderr}`);
}
