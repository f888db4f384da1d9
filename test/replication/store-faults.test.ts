import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import test, { type ExecutionContext } from "ava";
import { BackupToolError } from "../../src/errors.js";
import { type CreateOptions, createBackup } from "../../src/operations/create/create.js";
import { copyStore } from "../../src/replication/copy/store.js";
import { copyRetryPolicy } from "../../src/replication/copy/retries.js";
import { pruneIncomplete } from "../../src/snapshots/prune.js";
import { RetryingStore } from "../../src/snapstore/layers/retrying.js";
import { S3Store } from "../../src/snapstore/s3/store.js";
import { newFolder } from "../support/folders.js";
import { PASSPHRASE } from "../support/program/backuptool.js";
import { EtcdServer } from "../support/servers/etcd-server.js";
import type { Plan } from "../support/network/faulty-proxy.js";
import { FAULT_KINDS, FaultyProxy, seededPlan } from "../support/network/faulty-proxy.js";
import { judgeStore, openUploads } from "../support/stores/judge-store.js";
import { newBucket, s3Config } from "../support/stores/s3-buckets.js";
import { SeededChoice } from "../support/seeded-choice.js";

/** `npm run store-faults` sets both, for more rounds. */
const ROUNDS = Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 4);
const SEED = process.env["BACKUPTOOL_TEST_SEED"] ?? randomBytes(4).toString("hex");
/** Concurrent rounds, which mostly wait for retries. */
const AT_ONCE = 12;
const { signal } = new AbortController();
setMaxListeners(0, signal);
/** Cheap key derivation, for speed. */
const CHEAP = { memoryKiB: 8, passes: 1, lanes: 1 };
const quiet = { onProgress: () => {}, onCopied: () => {}, onFailed: () => {} };

const tally = { whole: 0, behind: 0, failed: 0, copied: 0, notCopied: 0, faults: 0 };
let etcd: EtcdServer;
let bucket: string;

test.before(async () => {
  [etcd, bucket] = await Promise.all([EtcdServer.start(), newBucket()]);
  for (let i = 0; i < 4; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
});

test.after.always(() => etcd.stop());

/** Some requests fail; in some rounds, all requests after one of them. */
function roundPlan(seed: string): Plan {
  const choice = new SeededChoice(seed);
  const rate = choice.of([0, 0.05, 0.1, 0.2, 0.4]);
  const faults = seededPlan(seed, rate, [...FAULT_KINDS, "spoil-answer"]);
  if (choice.below(4) > 0) return faults;
  const last = choice.below(25);
  const dead = choice.of([
    { kind: "drop" },
    { kind: "status", status: 500 },
    { kind: "status", status: 403 },
    { kind: "lose-answer" },
  ] as const);
  let asked = 0;
  return (request) => (asked++ < last ? faults(request) : dead);
}

async function round(t: ExecutionContext, number: number): Promise<void> {
  const seed = `${SEED} ${number}`;
  const [first, second] = await Promise.all(
    ["primary", "secondary"].map((role) =>
      FaultyProxy.start(s3Config(bucket).endpoint ?? "", roundPlan(`${seed} ${role}`)),
    ),
  );
  if (first === undefined || second === undefined) throw new Error("no proxies");
  const prefixes = { primary: `${number}/primary`, secondary: `${number}/secondary` };
  const config = (role: keyof typeof prefixes, proxy?: FaultyProxy) =>
    s3Config(bucket, { prefix: prefixes[role], ...(proxy && { endpoint: proxy.url }) });
  const destination = (role: keyof typeof prefixes, proxy: FaultyProxy) => ({
    config: config(role, proxy),
    minChunkBytes: 5 << 20,
    maxParallelChunks: 3,
  });
  const warnings: string[] = [];
  const options: CreateOptions = {
    store: destination("primary", first),
    secondaryStore: destination("secondary", second),
    etcd: { endpoints: [etcd.endpoint] },
    includePools: [],
    skipPools: [],
    keepGoing: false,
    toolVersion: "0",
    // Small files, sometimes with one of two parts.
    archiveSize: number % 2 === 0 ? 2 << 30 : 3 << 20,
    compressionLevel: 1,
    kdf: CHEAP,
    etcdMode: number % 3 === 0 ? "both" : "records",
    spoolDir: newFolder(),
  };
  const context = {
    passphrase: async () => Buffer.from(PASSPHRASE),
    signal,
    report: (event: { type: string; message?: string }) => {
      if (event.type === "warning") warnings.push(event.message ?? "");
    },
  };
  // Without faults.
  const primary = new S3Store(config("primary"));
  const secondary = new S3Store(config("secondary"));
  const judge = async (when: string) => {
    const seen = await Promise.all([judgeStore(primary), judgeStore(secondary)]);
    t.deepEqual([seen[0].lies, seen[1].lies], [[], []], `${seed}, ${when}`);
    // The secondary is never ahead.
    const ahead = seen[1].whole.filter((name) => !seen[0].whole.includes(name));
    t.deepEqual(ahead, [], `${seed}, ${when}`);
    return { primary: seen[0].whole.length, secondary: seen[1].whole.length };
  };
  let made = true;
  try {
    const { secondaryBehind } = await createBackup(options, context);
    const after = await judge("after create");
    t.is(after.primary, 1, seed);
    if (secondaryBehind) {
      tally.behind++;
      t.is(warnings.length, 1, seed);
      t.regex(
        warnings[0] ?? "",
        /^the secondary store is left behind: .+backuptool copy brings the rest there/,
        seed,
      );
    } else {
      tally.whole++;
      t.deepEqual([after.secondary, warnings], [1, []], seed);
    }
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    made = false;
    tally.failed++;
    t.regex(error.message, /s3:\/\/test-/, seed);
    await judge("after a create that failed");
  }
  const through = (role: keyof typeof prefixes, proxy: FaultyProxy) =>
    new RetryingStore(new S3Store(config(role, proxy)), copyRetryPolicy(settings.retries));
  const settings = {
    limits: {},
    maxParallelCopies: 5,
    minChunkBytes: 5 << 20,
    maxParallelChunks: 3,
    signal,
    retries: { maxRetries: 3, backoffMs: 10 },
  };
  const [from, to] = [through("primary", first), through("secondary", second)];
  const failures: string[] = [];
  const told = await copyStore(from, to, settings, {
    ...quiet,
    onFailed: (snapshot) => failures.push(snapshot),
  }).then(
    ({ failed }) => failed > 0,
    (error: unknown) => {
      if (!(error instanceof BackupToolError)) throw error;
      return true;
    },
  );
  const after = await judge("after copy");
  if (told) tally.notCopied++;
  else {
    tally.copied++;
    // A listing may have been stale.
    if (made && after.secondary === 0) {
      const stale = first.log.some(({ fault }) => fault?.kind === "stale-listing");
      t.true(stale, `${seed}: said to be copied, and is not there`);
    }
  }
  tally.faults += [...first.log, ...second.log].filter(({ fault }) => fault !== undefined).length;
  await Promise.all([from.close(), to.close(), first.close(), second.close()]);

  // Without faults everything succeeds, and nothing unknown is left.
  const olderThan = new Date(Date.now() + 60_000);
  const prune = {
    olderThan,
    dryRun: false,
    signal,
    onRemoved: () => {},
    onKept: () => {},
    onProtected: () => {},
  };
  await copyStore(primary, secondary, settings, quiet);
  for (const store of [primary, secondary]) await pruneIncomplete(store, prune);
  const last = await judge("at the end");
  t.is(last.primary, last.secondary, seed);
  if (made) t.is(last.primary, 1, seed);
  for (const prefix of Object.values(prefixes)) {
    t.deepEqual(await openUploads(bucket, prefix), [], seed);
  }
  await Promise.all([primary.close(), secondary.close()]);
}

test(`creates and copies over a faulty network complete, or report what is missing (seed ${SEED})`, async (t) => {
  t.timeout(24 * 3_600_000);
  let next = 0;
  const worker = async () => {
    while (next < ROUNDS) await round(t, next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  const { whole, behind, failed, copied, notCopied, faults } = tally;
  t.is(whole + behind + failed, ROUNDS);
  t.true(faults > 0);
  t.log(
    `${faults} faults; of ${ROUNDS} creates ${whole} whole, ${behind} without the secondary, ${failed} failed; ${copied} copied, ${notCopied} not`,
  );
});
