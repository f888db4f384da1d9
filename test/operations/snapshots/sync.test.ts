import { cpSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ListObjectsV2Command, PutObjectRetentionCommand } from "@aws-sdk/client-s3";
import test from "ava";
import type { OperationEvent } from "../../../src/operations/events.js";
import {
  type SecondarySyncOptions,
  SecondarySync,
} from "../../../src/operations/snapshots/sync.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import { SyncError } from "../../../src/replication/sync/sync-error.js";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import { publishPlan } from "../../../src/snapshots/control/plans.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { MeteredStore } from "../../../src/snapstore/layers/metered.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { newFolder } from "../../support/folders.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { backuptool, createOfEtcd, env } from "../../support/program/backuptool.js";
import { runProcess } from "../../support/program/processes.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { judgeStore } from "../../support/stores/judge-store.js";
import {
  newBucket,
  plainClient,
  s3Config,
  storeVariables,
} from "../../support/stores/s3-buckets.js";

const OPTIONS: SecondarySyncOptions = {
  concurrentCopies: 4,
  minChunkBytes: 5 << 20,
  maxParallelChunks: 3,
  retries: { maxRetries: 3, backoffMs: 10 },
  directory: "p/v2",
};
const MIRROR = { maxDeleteFraction: 0.5, graceMs: 0 };

/** A secondary in S3 behind a proxy, and syncs from a folder. */
class Site {
  readonly folder = newFolder();
  readonly events: OperationEvent[] = [];
  onProgress = (): void => {};
  readonly primary: MeteredStore;
  readonly secondary: MeteredStore;
  readonly #sync: SecondarySync;

  constructor(secondary: SnapStore) {
    const container = this.folder;
    this.primary = new MeteredStore(new LocalStore({ provider: "Local", container, prefix: "" }));
    this.secondary = new MeteredStore(secondary);
    const [source, target] = [this.primary, this.secondary].map((store) => {
      const retrying = new RetryingStore(store, copyRetryPolicy(OPTIONS.retries));
      return { store: retrying, catalog: new CachedCatalog(retrying) };
    });
    if (source === undefined || target === undefined) throw new Error("two stores");
    this.#sync = new SecondarySync(source, target);
  }

  async run(more: Partial<SecondarySyncOptions> = {}) {
    this.events.length = 0;
    const { signal } = new AbortController();
    const report = (event: OperationEvent): void => {
      if (event.type === "progress") this.onProgress();
      else this.events.push(event);
    };
    return await this.#sync.run({ ...OPTIONS, ...more }, { signal, report });
  }

  of<T extends OperationEvent["type"]>(type: T): Extract<OperationEvent, { type: T }>[] {
    const isOfType = (event: OperationEvent): event is Extract<OperationEvent, { type: T }> =>
      event.type === type;
    return this.events.filter(isOfType);
  }
}

test("a real chain is synced to S3, restores from there, and then costs listing requests alone", async (t) => {
  const bucket = await newBucket();
  const site = new Site(new S3Store(s3Config(bucket, { prefix: "p/v2" })));
  const etcd = await EtcdServer.start();
  const make = async (...more: string[]) => {
    const args = createOfEtcd(etcd, "--store", `file://${site.folder}`, ...more);
    const { code, stderr } = await backuptool(args);
    t.is(code, 0, stderr);
  };
  try {
    await etcd.put(Buffer.from("a"), Buffer.alloc(200_000, 1));
    await make();
    await etcd.put(Buffer.from("a"), Buffer.from("changed"));
    await make("--incremental-over", "latest");
  } finally {
    await etcd.stop();
  }
  const totals = await site.run();
  t.like(totals, { copied: 2, failed: 0, lag: { snapshots: 0 } });
  const [plan] = site.of("sync-plan");
  t.like(plan, { copy: 2, delete: 0, conflicts: 0, lag: { snapshots: 2 } });
  t.is(plan?.bytes, plan?.lag.bytes);
  t.deepEqual(
    site.of("snapshot-copying").map(({ key }) => key.replace(/\d{9,}/, "TIME")),
    ["p/v2/Full-00000000-00000002-TIME:0-2", "p/v2/Incr-00000003-00000003-TIME:3-3"],
  );
  t.deepEqual(
    site.events.map(({ type }) => type).filter((type) => type.startsWith("sync")),
    ["sync-begun", "sync-plan", "sync-done"],
  );
  const stored = ["--store", `s3://${bucket}/p/v2`, "--snapshot", "latest"];
  const { code, stderr } = await backuptool(["inspect", ...stored], { env: storeVariables() });
  t.is(code, 0, stderr);
  await site.run();
  const calls = () => [site.primary, site.secondary].map(({ counts }) => callsOf(counts));
  const before = calls();
  t.like(await site.run(), { copied: 0, present: 0, failed: 0 });
  // One for all snapshots, and one for the holds of the secondary.
  const lists = before.map((counts, i) => ({ ...counts, list: (counts["list"] ?? 0) + 1 + i }));
  t.deepEqual(calls(), lists);
  await site.secondary.close();
});

function callsOf(counts: MeteredStore["counts"]): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).map(([name, { calls }]) => [name, calls]));
}

test("a secondary that fails in the middle of a sync is named, and is caught up once it is back", async (t) => {
  const bucket = await newBucket();
  const proxy = await FaultyProxy.start(env("S3_ENDPOINT"));
  const site = new Site(new S3Store(s3Config(bucket, { endpoint: proxy.url })));
  for (let i = 0; i < 12; i++) forgeSnapshot(site.folder, { time: 1000 + i, sizes: [10, 5000] });
  let puts = 0;
  proxy.plan = ({ method }) => {
    if (method === "PUT") puts++;
    return puts > 20 ? { kind: "drop" } : undefined;
  };
  const error = await t.throwsAsync(site.run({ mirror: MIRROR }), { instanceOf: SyncError });
  t.like(error, { side: "target", store: site.secondary.name, code: "STORE_TRANSIENT" });
  const [failed] = site.of("sync-failed");
  t.like(failed, { side: "target", code: "STORE_TRANSIENT" });
  const copied = site.of("snapshot-copied").length;
  t.is(failed?.lag?.snapshots, 12 - copied);
  t.true(copied > 0 && copied < 12);
  // Not even the listing works.
  const again = await t.throwsAsync(site.run(), { instanceOf: SyncError });
  t.like(again, { side: "target", lag: undefined });
  proxy.plan = () => undefined;
  t.like(await site.run(), { failed: 0, lag: { snapshots: 0 } });
  const verdict = await judgeStore(site.secondary);
  t.is(verdict.whole.length, 12);
  t.deepEqual(verdict.lies, []);
  await proxy.close();
  await site.secondary.close();
});

test("a mirror in a bucket with object locks keeps what is locked", async (t) => {
  const bucket = await newBucket({ objectLock: true });
  const site = new Site(new S3Store(s3Config(bucket)));
  const made = [1000, 2000, 3000, 4000, 5000].map((time) => forgeSnapshot(site.folder, { time }));
  t.like(await site.run(), { copied: 5 });
  const [locked, free, ...others] = made;
  const client = plainClient();
  const objects = new ListObjectsV2Command({ Bucket: bucket, Prefix: `${locked?.name}/` });
  const { Contents = [] } = await client.send(objects);
  t.is(Contents.length, 4);
  for (const { Key } of Contents) {
    const Retention = {
      Mode: "COMPLIANCE",
      RetainUntilDate: new Date(Date.now() + 120_000),
    } as const;
    await client.send(new PutObjectRetentionCommand({ Bucket: bucket, Key, Retention }));
  }
  client.destroy();
  for (const one of [locked, free]) rmSync(one?.folder ?? "", { recursive: true });
  t.like(await site.run({ mirror: MIRROR }), { deleted: 1, notDeleted: 0 });
  t.deepEqual(
    site.of("snapshot-deleted").map(({ snapshot }) => snapshot),
    [free?.name],
  );
  const { whole } = await judgeStore(site.secondary);
  t.deepEqual(
    whole,
    [locked, ...others].map((one) => one?.name),
  );
  await site.secondary.close();
});

test("what a mirror does not delete is told in words", async (t) => {
  const folder = newFolder();
  const site = new Site(new LocalStore({ provider: "Local", container: folder, prefix: "" }));
  const made = [1000, 2000, 3000].map((time) => forgeSnapshot(site.folder, { time }));
  await site.run();
  const kept = newFolder();
  const move = (from: string, to: string) => {
    cpSync(from, to, { recursive: true });
    rmSync(from, { recursive: true });
  };
  for (const { name, folder: at } of made.slice(0, 2)) move(at, join(kept, name));
  await site.run({ mirror: MIRROR });
  const newest = made[2]?.folder ?? "";
  move(newest, join(kept, "newest"));
  await site.run({ mirror: MIRROR });
  t.like(site.of("mirror-refused")[0], {
    refusal: "source-empty",
    reason: "the primary shows no complete snapshot",
    due: 0,
    complete: 3,
  });
  move(join(kept, made[0]?.name ?? ""), made[0]?.folder ?? "");
  await site.run({ mirror: MIRROR });
  // Of the two that the secondary had in common with the primary until then.
  t.like(site.of("mirror-refused").at(-1), { refusal: "newest-chain", due: 1, complete: 2 });
  move(made[0]?.folder ?? "", join(kept, made[0]?.name ?? ""));
  move(join(kept, "newest"), newest);
  await site.run({ mirror: MIRROR });
  t.like(site.of("mirror-refused")[0], { refusal: "too-many", due: 2, complete: 3 });
  t.is(site.of("snapshot-deleted").length, 0);
  t.is((await judgeStore(site.secondary)).whole.length, 3);
});

test("the base of an incremental is pinned while that is copied, and not used while its deletion is planned", async (t) => {
  const folder = newFolder();
  const secondary = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const site = new Site(secondary);
  const full = forgeSnapshot(site.folder, { time: 1000 });
  t.like(await site.run(), { copied: 1 });
  const over = forgeSnapshot(site.folder, { time: 2000, base: full });
  const { signal } = new AbortController();
  const plan = await publishPlan(secondary, [full.name], signal);
  t.like(await site.run(), { copied: 0, failed: 1 });
  t.like(site.of("snapshot-not-copied")[0], { snapshot: over.name, code: "NO_BASE" });
  await plan.remove();
  let pinned = false;
  site.onProgress = () => {
    pinned ||= existsSync(join(folder, ".backuptool/pins", full.name));
  };
  t.like(await site.run(), { copied: 1, failed: 0 });
  t.true(pinned);
  t.false(existsSync(join(folder, ".backuptool/pins")));
});

test("two stores with 10,000 snapshots are compared by listing requests, in bounded memory", async (t) => {
  const program = fileURLToPath(
    new URL("../../support/program/large-catalogs.js", import.meta.url),
  );
  const { code, stdout, stderr } = await runProcess(process.execPath, [program, "10000", "4"]);
  t.is(code, 0, stderr);
  const runs: readonly { calls: unknown; copied: number; lag: number; peakKiB: number }[] =
    JSON.parse(stdout.toString());
  t.log(stdout.toString());
  // 40,000 keys in pages of 1,000, and the holds of the secondary.
  t.deepEqual(runs[1]?.calls, [{ list: 40 }, { list: 41 }]);
  t.deepEqual(
    runs.map(({ copied, lag }) => [copied, lag]),
    [
      [0, 0],
      [0, 0],
    ],
  );
  t.true((runs[1]?.peakKiB ?? 0) < 200 << 10);
});
