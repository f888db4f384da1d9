import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { env } from "../test/support/program/backuptool.js";
import { fillPool } from "./fill.js";
import { fillEtcd } from "./fill-etcd.js";
import type { LeastWork } from "./least-cpu.js";
import { measure, measureTool, type ToolMeasure } from "./measure.js";

/** One run: how fast we were and how fast the peer was, in the same unit. */
export interface Pair {
  readonly ours: ToolMeasure;
  /**
   * Units a second from the end of the key derivation to the exit: as rados bench counts, which starts
   * its clock when it is connected.
   */
  readonly ourRate: number;
  /** Units a second over the whole command. */
  readonly wholeRate: number;
  readonly peerRate: number;
}

export interface Case {
  readonly name: string;
  readonly unit: "MiB" | "objects" | "records";
  /** The ratio to the peer that the project promises. */
  readonly goal: number;
  readonly peer: string;
  /** What must at least be done with the bytes of the case. */
  readonly least: LeastWork;
  /** How many bytes the last run stored, or read from where they were stored. */
  bytes(): number;
  prepare(): Promise<void>;
  run(): Promise<Pair>;
}

/** Sizes of the data; smaller ones try the bench itself. */
export interface Scale {
  readonly largeObjects: number;
  readonly smallObjects: number;
  readonly records: number;
}

const LARGE = 4 << 20;
const SMALL = 1024;

/** Cases in the order in which they build on each other. Our data is in the pools btrdb*, that of rados bench in restore_*. */
export function casesOf(folder: string, scale: Scale): Case[] {
  const ceph = [
    "--cephconf",
    env("CEPH_CONF"),
    "--keyring",
    env("CEPH_KEYRING_ADMIN"),
    "--skip-etcd",
  ];
  const etcd = ["--etcd", env("ETCD_ENDPOINT"), "--skip-ceph"];
  const rados = ["rados", "-c", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_ADMIN")];
  const at = (name: string): string => join(folder, name);
  const backup = async (name: string, ...args: string[]): Promise<ToolMeasure> => {
    rmSync(at(name), { recursive: true, force: true });
    return measureTool(["create", "--outputdir", at(name), ...args]);
  };
  const stored = (name: string) => (): number =>
    readdirSync(at(name)).reduce((sum, file) => sum + statSync(join(at(name), file)).size, 0);
  const radosBench = async (
    pool: string,
    kind: "seq" | "write",
    size: number,
    objects: number,
  ): Promise<number> => {
    const window = size === LARGE ? "16" : "64";
    const writing = ["-b", `${size}`, "--max-objects", `${objects}`, "--no-cleanup"];
    const args = [
      "-p",
      pool,
      "bench",
      "600",
      kind,
      "-t",
      window,
      ...(kind === "write" ? writing : []),
    ];
    const { stdout } = await measure([...rados, ...args]);
    const time = Number(/Total time run:\s+([\d.]+)/.exec(stdout)?.[1]);
    return (size === LARGE ? (objects * size) / (1 << 20) : objects) / time;
  };
  const pair = (units: number, ours: ToolMeasure, peerRate: number): Pair => ({
    ours,
    ourRate: units / ours.work,
    wholeRate: units / ours.wall,
    peerRate,
  });
  const { largeObjects, smallObjects, records } = scale;
  const largeMiB = (largeObjects * LARGE) / (1 << 20);
  const nothing = async (): Promise<void> => {};
  return [
    {
      name: `create, ${largeObjects} objects of 4 MiB`,
      unit: "MiB",
      goal: 0.5,
      peer: "rados bench seq",
      least: "seal",
      bytes: stored("large"),
      prepare: async () => {
        await fillPool("btrdbhot", largeObjects, LARGE);
        await radosBench("restore_hot", "write", LARGE, largeObjects);
      },
      run: async () => {
        const peer = await radosBench("restore_hot", "seq", LARGE, largeObjects);
        return pair(largeMiB, await backup("large", ...ceph, "--include-pool", "btrdbhot"), peer);
      },
    },
    {
      name: `create, ${smallObjects} objects of 1 KiB`,
      unit: "objects",
      goal: 0.6,
      peer: "rados bench -b 1024 seq",
      least: "seal",
      bytes: stored("small"),
      prepare: async () => {
        await fillPool("btrdbcold", smallObjects, SMALL);
        await radosBench("restore_cold", "write", SMALL, smallObjects);
      },
      run: async () => {
        const peer = await radosBench("restore_cold", "seq", SMALL, smallObjects);
        return pair(
          smallObjects,
          await backup("small", ...ceph, "--include-pool", "btrdbcold"),
          peer,
        );
      },
    },
    {
      name: `incremental, nothing changed in ${smallObjects} objects`,
      unit: "objects",
      goal: 2.0,
      peer: "rados bench -b 1024 seq",
      least: "seal",
      bytes: stored("unchanged"),
      prepare: nothing,
      run: async () => {
        const peer = await radosBench("restore_cold", "seq", SMALL, smallObjects);
        const args = [...ceph, "--include-pool", "btrdbcold", "--incremental-over", at("small")];
        return pair(smallObjects, await backup("unchanged", ...args), peer);
      },
    },
    {
      name: `restore, ${largeObjects} objects of 4 MiB`,
      unit: "MiB",
      goal: 0.6,
      peer: "rados bench write",
      least: "open",
      bytes: stored("large"),
      prepare: nothing,
      run: async () => {
        const peer = await radosBench("restore_cold", "write", LARGE, largeObjects);
        const args = [...ceph, "--restore-pool", "btrdbhot:restore_hot"];
        return pair(
          largeMiB,
          await measureTool(["restore", "--outputdir", at("large"), ...args]),
          peer,
        );
      },
    },
    {
      name: `restore, ${smallObjects} objects of 1 KiB`,
      unit: "objects",
      goal: 0.6,
      peer: "rados bench -b 1024 write",
      least: "open",
      bytes: stored("small"),
      prepare: nothing,
      run: async () => {
        const peer = await radosBench("restore_hot", "write", SMALL, smallObjects);
        const args = [...ceph, "--restore-pool", "btrdbcold:restore_cold"];
        return pair(
          smallObjects,
          await measureTool(["restore", "--outputdir", at("small"), ...args]),
          peer,
        );
      },
    },
    {
      name: `create, ${records} etcd records of 100 bytes`,
      unit: "records",
      goal: 0.5,
      peer: "etcdctl get",
      least: "seal",
      bytes: stored("etcd"),
      prepare: () => fillEtcd(env("ETCD_ENDPOINT"), { count: records, valueBytes: 100 }),
      run: async () => {
        const get = ["--endpoints", env("ETCD_ENDPOINT"), "get", "--prefix", ""];
        const peer = await measure(["env", "ETCDCTL_API=3", "etcdctl", ...get], { quiet: true });
        return pair(records, await backup("etcd", ...etcd), records / peer.wall);
      },
    },
    {
      name: "create, raw snapshot of that etcd",
      unit: "MiB",
      goal: 0.5,
      peer: "etcdctl snapshot save",
      least: "seal",
      bytes: stored("raw"),
      prepare: nothing,
      run: async () => {
        const file = at("peer.db");
        rmSync(file, { force: true });
        const save = ["--endpoints", env("ETCD_ENDPOINT"), "snapshot", "save", file];
        const peer = await measure(["env", "ETCDCTL_API=3", "etcdctl", ...save], { quiet: true });
        const mib = statSync(file).size / 2 ** 20;
        rmSync(file);
        const args = [...etcd, "--etcd-mode", "raw", "--spool-dir", folder];
        return pair(mib, await backup("raw", ...args), mib / peer.wall);
      },
    },
    // Debian's sha256sum does not use the processor's SHA instructions; openssl does.
    ...[["sha256sum"], ["openssl", "dgst", "-sha256"]].map(
      (hash): Case => ({
        name: "inspect of the 4 MiB objects",
        unit: "MiB",
        goal: 1 / 1.5,
        peer: hash.join(" "),
        least: "open",
        bytes: stored("large"),
        prepare: nothing,
        run: async () => {
          const files = readdirSync(at("large")).map((name) => join(at("large"), name));
          const peer = await measure([...hash, ...files]);
          const ours = await measureTool(["inspect", "--outputdir", at("large")]);
          return pair(largeMiB, ours, largeMiB / peer.wall);
        },
      }),
    ),
  ];
}
