import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { env } from "../test/support/program/backuptool.js";
import { newBucket, radosgw, storeFields } from "../test/support/stores/s3-buckets.js";
import type { Case, Pair, Scale } from "./cases.js";
import { fillPool } from "./fill.js";
import { type Measure, measure, measureTool, type ToolMeasure } from "./measure.js";

const LARGE_MIB = 4;
/** Files, and parts of each, on their way at once: the same for rclone. */
const FILES = 4;
const PARTS = 5;

/** Backups to and from S3 on the dev cluster's radosgw. The second and the third build on the first. */
export function storeCasesOf(folder: string, scale: Scale): Case[] {
  let one = "";
  let two = "";
  const config = join(folder, "rclone.conf");
  const credentials = join(folder, "s3.json");
  const local = join(folder, "local");
  const megabytes = scale.largeObjects * LARGE_MIB;
  const bytes = (): number => megabytes << 20;
  const ceph = ["--cephconf", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_ADMIN")];
  const from = [...ceph, "--skip-etcd", "--include-pool", "btrdbhot", "--archive-size", "256MiB"];
  const into = [...ceph, "--skip-etcd", "--restore-pool", "btrdbhot:restore_hot"];
  const withStores = {
    env: {
      AWS_APPLICATION_CREDENTIALS_JSON: credentials,
      SECONDARY_AWS_APPLICATION_CREDENTIALS_JSON: credentials,
      SOURCE_AWS_APPLICATION_CREDENTIALS_JSON: credentials,
    },
  };
  const tool = (...args: string[]) => measureTool(args, withStores);
  const rclone = (...args: string[]) =>
    measure([
      // Debian's rclone cannot do with it.
      "env",
      "-u",
      "AWS_CA_BUNDLE",
      "rclone",
      "--config",
      config,
      "--transfers",
      `${FILES}`,
      "--checkers",
      `${FILES}`,
      "--s3-upload-concurrency",
      `${PARTS}`,
      "--s3-chunk-size",
      "5M",
      ...args,
    ]);
  const rates = (ours: ToolMeasure, peerSeconds: number, ourSeconds = ours.wall): Pair => ({
    ours,
    ourRate: megabytes / ourSeconds,
    wholeRate: megabytes / ourSeconds,
    peerRate: megabytes / peerSeconds,
  });
  let runs = 0;
  return [
    {
      name: "create to two S3 stores, CPU time",
      unit: "MiB",
      goal: 1 / 1.5,
      peer: "create to one",
      least: "seal",
      bytes,
      prepare: async () => {
        await fillPool("btrdbhot", scale.largeObjects, LARGE_MIB << 20);
        [one, two] = [await newBucket(), await newBucket()];
        writeFileSync(credentials, JSON.stringify(storeFields()));
        const { endpoint, credentials: user } = radosgw();
        const remote = [
          "[s3]",
          "type = s3",
          "provider = Ceph",
          `endpoint = ${endpoint}`,
          `access_key_id = ${user.accessKeyId}`,
          `secret_access_key = ${user.secretAccessKey}`,
          "",
        ];
        writeFileSync(config, remote.join("\n"));
      },
      run: async () => {
        const prefix = `s3://${one}/run-${runs++}`;
        const single = await tool("create", "--store", prefix, ...from);
        const second = ["--secondary-store", `s3://${two}/run-${runs}`];
        const both = await tool("create", "--store", `${prefix}-both`, ...second, ...from);
        const cpu = ({ user, system }: Measure): number => user + system;
        return rates(both, cpu(single), cpu(both));
      },
    },
    {
      name: "copy of the same files to S3",
      unit: "MiB",
      goal: 0.8,
      peer: "rclone copy",
      least: "hash",
      bytes,
      prepare: async () => {
        rmSync(local, { recursive: true, force: true });
        await tool("create", "--store", `file://${local}`, ...from);
      },
      run: async () => {
        const run = runs++;
        const peer = await rclone("copy", local, `s3:${one}/rclone-${run}`);
        const ours = await tool(
          "copy",
          "--source-store",
          `file://${local}`,
          "--store",
          `s3://${one}/copy-${run}`,
          "--max-parallel-copy-operations",
          `${FILES}`,
          "--max-parallel-chunk-uploads",
          `${PARTS}`,
        );
        return rates(ours, peer.wall);
      },
    },
    {
      name: "restore from S3",
      unit: "MiB",
      goal: 0.8,
      peer: "rclone copy, then restore",
      least: "open",
      bytes,
      prepare: async () => {
        await rclone("copy", local, `s3:${one}/down`);
      },
      run: async () => {
        const down = join(folder, "down");
        rmSync(down, { recursive: true, force: true });
        const fetched = await rclone("copy", `s3:${one}/down`, down);
        const restored = await tool("restore", "--store", `file://${down}`, ...into);
        const ours = await tool("restore", "--store", `s3://${one}/down`, ...into);
        return rates(ours, fetched.wall + restored.wall);
      },
    },
  ];
}
