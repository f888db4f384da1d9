import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { type CopySettings, copyStore } from "../../../src/replication/copy/store.js";
import { backuptool, createOfEtcd, lines } from "../../support/program/backuptool.js";
import { until } from "../../support/program/disturbed.js";
import { EtcdServer, freePort } from "../../support/servers/etcd-server.js";
import { FaultyProxy, type Plan } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { judgeStore, openUploads } from "../../support/stores/judge-store.js";
import { runProcess } from "../../support/program/processes.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import {
  bothStores,
  bucketStore,
  folderStore,
  type NamedStore,
} from "../../support/stores/flags.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  for (let i = 0; i < 9; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
});

test.after.always(() => etcd?.stop());

const COPY: CopySettings = {
  limits: {},
  maxParallelCopies: 5,
  minChunkBytes: 5 << 20,
  maxParallelChunks: 3,
  retries: { maxRetries: 1, backoffMs: 10 },
  signal: new AbortController().signal,
};
const QUIET = { onProgress: () => {}, onCopied: () => {}, onFailed: () => {} };

/** Files of two parts and more. */
const create = () => createOfEtcd(etcd, "--archive-size", "6MiB");

/** A fault of all requests that write, from the `nth` on. */
function deadFrom(nth: number, fault: ReturnType<Plan>): Plan {
  let writes = 0;
  return ({ method }) => {
    if (method !== "GET" && method !== "HEAD") writes++;
    return writes > nth ? fault : undefined;
  };
}

interface Broken {
  /** The store with its fault. */
  readonly store: NamedStore;
  /** The same place without the fault. */
  mend(): Promise<NamedStore>;
  /** The text of the warning. */
  readonly says: RegExp;
}

async function brokenBucket(t: ExecutionContext, plan: Plan, says: RegExp): Promise<Broken> {
  const name = await newBucket();
  const proxy = await FaultyProxy.start(radosgw().endpoint, plan);
  t.teardown(() => proxy.close());
  const mend = async () => bucketStore(name);
  return { store: bucketStore(name, { endpoint: proxy.url }), mend, says };
}

async function smallDisk(t: ExecutionContext, options: string): Promise<Broken | undefined> {
  const folder = newFolder();
  const mount = (...args: string[]) => runProcess("mount", [...args, folder]);
  const { code, stderr } = await mount("-t", "tmpfs", "-o", options, "tmpfs");
  if (code !== 0) {
    t.log(`not tried: a tmpfs cannot be mounted here: ${stderr}`);
    return undefined;
  }
  t.teardown(() => runProcess("umount", [folder]));
  const mend = async () => {
    await mount("-o", "remount,rw,size=100m");
    return folderStore(folder);
  };
  return { store: folderStore(folder), mend, says: /no room|no space|read-only/i };
}

const denied = {
  kind: "status",
  status: 403,
  body: "<Error><Code>AccessDenied</Code></Error>",
} as const;

const BROKEN: Readonly<Record<string, (t: ExecutionContext) => Promise<Broken | undefined>>> = {
  "refuses connections": async () => {
    const name = await newBucket();
    const endpoint = `http://127.0.0.1:${await freePort()}`;
    const mend = async () => bucketStore(name);
    return {
      store: bucketStore(name, { endpoint }),
      mend,
      says: /behind: .*ECONNREFUSED/,
    };
  },
  "accepts and never answers": (t) => brokenBucket(t, () => ({ kind: "hang" }), /behind/),
  "knows other credentials": async () => {
    const name = await newBucket();
    const mend = async () => bucketStore(name);
    return { store: bucketStore(name, { secret: "wrong" }), mend, says: /Signature|403|denied/i };
  },
  "has no such bucket": async () => {
    const mend = async () => bucketStore(await newBucket());
    return { store: bucketStore("nothing-of-this-name"), mend, says: /nothing-of-this-name/ };
  },
  "is a read-only folder": (t) => smallDisk(t, "ro"),
  "is a folder that becomes full": (t) => smallDisk(t, "size=10m"),
  "drops connections in the middle": (t) =>
    brokenBucket(t, deadFrom(4, { kind: "drop" }), /behind: .*(hang up|ECONNRESET)|behind when/),
  "hangs in the middle": (t) => brokenBucket(t, deadFrom(4, { kind: "hang" }), /behind/),
  "denies in the middle": (t) => brokenBucket(t, deadFrom(4, denied), /AccessDenied|denied|403/i),
  "fails at its manifest": (t) =>
    brokenBucket(
      t,
      ({ url, method }) => (method === "PUT" && url.includes("MANIFEST") ? denied : undefined),
      /AccessDenied|denied|403|behind when the primary/i,
    ),
};

for (const [what, breakIt] of Object.entries(BROKEN)) {
  test(`when the secondary ${what}, the primary is complete, and copy completes the secondary`, async (t) => {
    const broken = await breakIt(t);
    if (broken === undefined) {
      t.pass();
      return;
    }
    const primary = folderStore(newFolder());
    const both = bothStores(primary, broken.store);
    const made = await backuptool([...create(), ...both.flags], { env: both.env });
    t.is(made.code, 3, made.stderr);
    const warnings = made.stderr.split("\n").filter((line) => line.startsWith("warning: "));
    t.is(warnings.length, 1, made.stderr);
    t.regex(warnings[0] ?? "", broken.says);
    t.regex(warnings[0] ?? "", /secondary store is left behind.*backuptool copy brings the rest/);
    t.regex(lines(made.stdout).at(-1) ?? "", /^SNAPSHOT DONE; Full-\S+ is in file:\/\/\S+$/);
    const { whole, unfinished, lies } = await judgeStore(primary.open());
    t.deepEqual([whole.length, unfinished, lies], [1, [], []]);

    const mended = await broken.mend();
    const behind = await judgeStore(mended.open());
    t.deepEqual([behind.whole, behind.lies], [[], []]);
    const { failed } = await copyStore(primary.open(), mended.open(), COPY, QUIET);
    t.is(failed, 0);
    t.deepEqual(await judgeStore(mended.open()), { whole, unfinished: [], lies: [] });
  });
}

const DEAD_PRIMARIES: Readonly<Record<string, (t: ExecutionContext) => Promise<Broken>>> = {
  "knows other credentials": async () => {
    const name = await newBucket();
    const mend = async () => bucketStore(name);
    return {
      store: bucketStore(name, { secret: "wrong" }),
      mend,
      says: /s3:\/\/test-.*(Signature|403)/i,
    };
  },
  "denies in the middle": (t) =>
    brokenBucket(t, deadFrom(5, denied), /s3:\/\/test-\S+: Full-\S+\/ARCHIVE0000\d\.bin: /),
  "drops connections in the middle": (t) =>
    brokenBucket(
      t,
      deadFrom(5, { kind: "drop" }),
      /s3:\/\/test-\S+: Full-\S+\/ARCHIVE0000\d\.bin: /,
    ),
  "fails at its manifest": (t) =>
    brokenBucket(
      t,
      ({ url, method }) => (method === "PUT" && url.includes("MANIFEST") ? denied : undefined),
      /s3:\/\/test-\S+: Full-\S+\/MANIFEST\.json: /,
    ),
};

for (const [what, breakIt] of Object.entries(DEAD_PRIMARIES)) {
  test(`when the primary ${what}, the run fails and nothing looks complete`, async (t) => {
    const { store, mend, says } = await breakIt(t);
    const secondary = folderStore(newFolder());
    const both = bothStores(store, secondary);
    const made = await backuptool([...create(), ...both.flags], { env: both.env });
    t.is(made.code, 1, made.stderr);
    t.regex(lines(Buffer.from(made.stderr)).at(-1) ?? "", says);
    t.notRegex(made.stdout.toString(), /SNAPSHOT DONE/);
    for (const seen of [await mend(), secondary]) {
      const { whole, lies } = await judgeStore(seen.open());
      t.deepEqual([whole, lies], [[], []]);
    }
  });
}

test("uploads are aborted when the primary fails or the run is interrupted", async (t) => {
  const name = await newBucket();
  const plan = deadFrom(Number.POSITIVE_INFINITY, undefined);
  const proxy = await FaultyProxy.start(radosgw().endpoint, plan);
  t.teardown(() => proxy.close());
  const primary = bucketStore(name, { endpoint: proxy.url });
  const secondary = bucketStore(name, { prefix: "second" });
  const both = bothStores(primary, secondary);
  // A run does not wait for those of a secondary that was silent for a while.
  const ofPrimary = async () =>
    (await openUploads(name)).filter((key) => !key.startsWith("second/"));
  // Only parts are rejected.
  proxy.plan = ({ method, url }) =>
    method === "PUT" && url.includes("partNumber=2") ? denied : undefined;
  const failed = await backuptool([...create(), ...both.flags], { env: both.env });
  t.is(failed.code, 1, failed.stderr);
  t.deepEqual(await ofPrimary(), []);
  // A part hangs until the user interrupts.
  let child:
    | Parameters<NonNullable<Parameters<typeof backuptool>[1]>["onStart"] & {}>[0]
    | undefined;
  proxy.plan = ({ method, url }) => {
    if (method !== "PUT" || !url.includes("partNumber=2")) return undefined;
    child?.kill("SIGINT");
    child = undefined;
    return { kind: "hang" };
  };
  const interrupted = await backuptool([...create(), ...both.flags], {
    env: both.env,
    onStart: (started) => {
      child = started;
    },
  });
  t.is(interrupted.code, 130, interrupted.stderr);
  t.deepEqual(await ofPrimary(), []);
  t.deepEqual((await judgeStore(bucketStore(name).open())).whole, []);
});

test("two stores in the same place are rejected, and a secondary without a primary", async (t) => {
  const folder = newFolder();
  const one = folderStore(folder);
  const twice = await backuptool([
    ...create(),
    ...one.flags(),
    "--secondary-store",
    `file://${folder}/../${folder.split("/").at(-1)}`,
  ]);
  t.is(twice.code, 2, twice.stderr);
  t.regex(twice.stderr, /both stores are the same place/);
  const alone = await backuptool([...create(), ...one.flags("secondary")]);
  t.is(alone.code, 2, alone.stderr);
  t.deepEqual(readdirSync(join(folder)), []);
});

test("a run that is interrupted while it waits only for the secondary leaves it behind, and reports it", async (t) => {
  const name = await newBucket();
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method, url }) =>
    method === "PUT" && url.includes("MANIFEST") ? { kind: "hang" } : undefined,
  );
  t.teardown(() => proxy.close());
  const primary = folderStore(newFolder());
  const secondary = bucketStore(name, { endpoint: proxy.url });
  const { flags, env } = bothStores(primary, secondary);
  const args = ["create", "--skip-ceph", "--etcd", etcd.endpoint, ...flags];
  const waits = () => proxy.log.some(({ fault }) => fault?.kind === "hang");
  const { code, stderr } = await backuptool(args, {
    env,
    onStart: async (child) => {
      await until(child, waits);
      child.kill("SIGINT");
    },
  });
  t.is(code, 3, stderr);
  t.regex(stderr, /the secondary store is left behind/);
  t.is((await judgeStore(primary.open())).whole.length, 1);
  t.is((await judgeStore(bucketStore(name).open())).whole.length, 0);
});
