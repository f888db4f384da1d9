import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { PutBucketVersioningCommand } from "@aws-sdk/client-s3";
import test, { type ExecutionContext } from "ava";
import { newFolder } from "../../support/folders.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { backuptool, createOfEtcd } from "../../support/program/backuptool.js";
import type { Result } from "../../support/program/processes.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { bucketStore, folderStore, type NamedStore } from "../../support/stores/flags.js";
import { age } from "../../support/stores/forged-snapshots.js";
import { judgeStore } from "../../support/stores/judge-store.js";
import { newBucket, plainClient, radosgw } from "../../support/stores/s3-buckets.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  for (let i = 0; i < 8; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_000_000));
});
test.after.always(() => etcd?.stop());

/** A command on a store that is under way. */
class Command {
  readonly result: Promise<Result>;
  #child: ChildProcess | undefined;

  constructor(args: readonly string[], store: NamedStore) {
    this.result = backuptool([...args, ...store.flags()], {
      env: store.env(),
      onStart: (child) => {
        this.#child = child;
      },
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }
}

const createArgs = (...more: string[]): string[] => createOfEtcd(etcd, ...more);

async function run(t: ExecutionContext, store: NamedStore, code: number, ...args: string[]) {
  const result = await new Command(args, store).result;
  t.is(result.code, code, `${args.join(" ")}: ${result.stdout.toString()}${result.stderr}`);
  return result;
}

async function controlFiles(store: NamedStore, folder: string): Promise<string[]> {
  const opened = store.open();
  try {
    return (await opened.list(`.backuptool/${folder}/`)).objects.map(({ key }) => key);
  } finally {
    await opened.close();
  }
}

/** Resolves once a process has put a file of this kind. */
async function appears(store: NamedStore, folder: string): Promise<void> {
  const begun = performance.now();
  while ((await controlFiles(store, folder)).length === 0) {
    if (performance.now() - begun > 120_000) throw new Error(`no file below ${folder}`);
    await sleep(20);
  }
}

async function wholeNames(t: ExecutionContext, store: NamedStore): Promise<string[]> {
  const opened = store.open();
  try {
    const { whole, lies } = await judgeStore(opened);
    t.deepEqual(lies, []);
    return whole;
  } finally {
    await opened.close();
  }
}

test("the base of an incremental that is stopped is kept by every deletion, and the incremental completed", async (t) => {
  const store = bucketStore(await newBucket());
  await run(t, store, 0, ...createArgs());
  const [base = ""] = await wholeNames(t, store);
  const create = new Command(createArgs("--incremental-over", base), store);
  await appears(store, "pins");
  create.signal("SIGSTOP");
  const rejected = await run(t, store, 1, "snapshot", "delete", base, "--yes");
  t.regex(rejected.stderr, /is needed by a backup or copy that is being made/);
  // Now retention would not need it any more.
  await run(t, store, 0, ...createArgs());
  const policy = ["--garbage-collection-policy", "LimitBased", "--max-backups", "1"];
  await run(t, store, 0, "prune", ...policy, "--yes");
  t.true((await wholeNames(t, store)).includes(base));
  create.signal("SIGCONT");
  const { code, stderr } = await create.result;
  t.is(code, 0, stderr);
  t.is((await wholeNames(t, store)).length, 3);
  t.deepEqual(await controlFiles(store, "pins"), []);
  const needed = await run(t, store, 1, "snapshot", "delete", base, "--yes");
  t.regex(needed.stderr, /is needed by Incr-/);
});

test("an incremental over a snapshot whose deletion is stopped fails, and the deletion is completed", async (t) => {
  const bucket = await newBucket();
  const store = bucketStore(bucket);
  await run(t, store, 0, ...createArgs());
  const [base = ""] = await wholeNames(t, store);
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method, url }) =>
    method === "DELETE" && url.includes("MANIFEST.json") ? { kind: "slow", ms: 1000 } : undefined,
  );
  t.teardown(() => proxy.close());
  const slow = bucketStore(bucket, { endpoint: proxy.url });
  const deletion = new Command(["snapshot", "delete", base, "--yes"], slow);
  await appears(store, "plans");
  deletion.signal("SIGSTOP");
  const rejected = await run(t, store, 1, ...createArgs("--incremental-over", base));
  t.regex(rejected.stderr, /is about to be deleted|was deleted/);
  deletion.signal("SIGCONT");
  const { code, stderr } = await deletion.result;
  t.is(code, 0, stderr);
  t.deepEqual(await wholeNames(t, store), []);
  t.deepEqual(await controlFiles(store, "plans"), []);
  t.deepEqual(await controlFiles(store, "pins"), []);
});

test("creates that begin at the same moment have different names, also in a bucket with versions", async (t) => {
  const Bucket = await newBucket();
  const client = plainClient();
  const VersioningConfiguration = { Status: "Enabled" } as const;
  await client.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  client.destroy();
  const store = bucketStore(Bucket);
  await Promise.all([1, 2, 3].map(() => run(t, store, 0, ...createArgs())));
  t.is((await wholeNames(t, store)).length, 3);
  t.deepEqual(await controlFiles(store, "names"), []);
});

test("the pin of an incremental that was killed ends after a day, and is then removed", async (t) => {
  const folder = newFolder();
  const store = folderStore(folder);
  await run(t, store, 0, ...createArgs());
  const [base = ""] = await wholeNames(t, store);
  const create = new Command(createArgs("--incremental-over", base), store);
  await appears(store, "pins");
  create.signal("SIGKILL");
  t.is((await create.result).signal, "SIGKILL");
  await run(t, store, 0, "snapshot", "prune-incomplete", "--grace-period", "0s");
  const rejected = await run(t, store, 1, "snapshot", "delete", base, "--yes");
  t.regex(rejected.stderr, /its pin ends after a day/);
  for (const kind of ["pins", "names"]) {
    for (const key of await controlFiles(store, kind)) {
      age(join(folder, key), Date.now() / 1000 - 90_000);
    }
  }
  await run(t, store, 0, "snapshot", "delete", base, "--yes");
  t.deepEqual(await wholeNames(t, store), []);
  t.deepEqual(await controlFiles(store, "pins"), []);
});
