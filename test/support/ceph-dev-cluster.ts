import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CephOptions } from "../../src/sources/ceph/cluster.js";
import { newFolder } from "./folders.js";
import { runProcess } from "./processes.js";

const SCRIPT = fileURLToPath(new URL("../../../scripts/dev-cluster", import.meta.url));

/** A cluster of a test's own, to stop daemons of. */
export class DevCluster {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async start(pools: readonly string[]): Promise<DevCluster> {
    const cluster = new DevCluster(join(newFolder(), "cluster"));
    await cluster.#run(["up"], { POOLS: pools.join(" ") });
    return cluster;
  }

  /** @param daemon `mon.a` or `osd.0` */
  async stopDaemon(daemon: string): Promise<void> {
    await this.#run(["stop", daemon]);
  }

  async startDaemon(daemon: string): Promise<void> {
    await this.#run(["start", daemon], { POOLS: "" });
  }

  /** Does not fail when nothing is up. */
  async down(): Promise<void> {
    await this.#run(["down"]);
  }

  /** What leads {@link tellMonitors} here. */
  get env(): Readonly<Record<string, string>> {
    const { conf, keyring = "" } = this.options();
    return { CEPH_CONF: conf, CEPH_KEYRING_ADMIN: keyring };
  }

  options(more: Partial<CephOptions> = {}): CephOptions {
    return { conf: join(this.folder, "ceph.conf"), keyring: this.keyring("client.admin"), ...more };
  }

  keyring(user: string): string {
    return join(this.folder, `ceph.${user}.keyring`);
  }

  async #run(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> {
    const { code, stderr } = await runProcess(SCRIPT, [...args, this.folder], { env });
    if (code !== 0) throw new Error(`dev-cluster ${args.join(" ")}: ${stderr}`);
  }
}
