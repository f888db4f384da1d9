import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { env } from "../test/support/program/backuptool.js";
import { EtcdServer } from "../test/support/servers/etcd-server.js";
import type { Case, Pair, Scale } from "./cases.js";
import { fillEtcd } from "./fill-etcd.js";
import { measure, measureTool, measureWholeTool } from "./measure.js";

const VALUE_BYTES = 1000;

/**
 * From a backup in a folder to a member that answers, beside etcdctl with the same database as a file in the clear. All of it is
 * on a disk.
 */
export function memberCasesOf({ records }: Scale): Case[] {
  const disk = env("BACKUPTOOL_BENCH_DISK");
  const store = `file://${join(disk, "member-store")}`;
  const file = join(disk, "member.db");
  const size = (): number => statSync(file).size;
  /** Seconds that `etcd` takes until it answers. The data dir is removed. */
  const serve = async (dataDir: string): Promise<number> => {
    const begun = performance.now();
    const etcd = await EtcdServer.startOn(dataDir);
    const seconds = (performance.now() - begun) / 1000;
    await etcd.stop();
    rmSync(dataDir, { recursive: true });
    return seconds;
  };
  const whole: Case = {
    name: `a member that serves ${records} keys of 1 KB`,
    unit: "MiB",
    goal: 1 / 1.5,
    peer: "etcdctl snapshot restore",
    least: "open",
    bytes: size,
    prepare: async () => {
      const etcd = await EtcdServer.start(["--quota-backend-bytes", `${8 * 2 ** 30}`]);
      try {
        await fillEtcd(etcd.endpoint, { count: records, valueBytes: VALUE_BYTES });
        await etcd.ctl("snapshot", "save", file);
        const from = ["--etcd", etcd.endpoint, "--skip-ceph", "--etcd-mode", "raw"];
        await measureTool(["create", "--store", store, ...from]);
      } finally {
        await etcd.stop();
      }
    },
    run: () => run(),
  };
  const run = async (...flags: string[]): Promise<Pair> => {
    const mib = size() / 2 ** 20;
    const theirDir = join(disk, "their-member");
    const restore = ["snapshot", "restore", file, "--data-dir", theirDir];
    const theirs = await measure(["env", "ETCDCTL_API=3", "etcdctl", ...restore], {
      quiet: true,
    });
    const theirSeconds = theirs.wall + (await serve(theirDir));
    const dataDir = join(disk, "our-member");
    const args = ["restore", "--store", store, "--etcd-data-dir", dataDir, ...flags];
    const ours = await measureWholeTool(args);
    const startSeconds = await serve(dataDir);
    return {
      ours,
      ourRate: mib / (ours.work + startSeconds),
      wholeRate: mib / (ours.wall + startSeconds),
      peerRate: mib / theirSeconds,
    };
  };
  // What was just written is not read again.
  const quick: Case = {
    ...whole,
    name: `${whole.name}, --skip-hash-check`,
    prepare: async () => {},
    run: () => run("--skip-hash-check"),
  };
  return [whole, quick];
}
