import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  CreateMultipartUploadCommand,
  ListObjectsV2Command,
  PutObjectRetentionCommand,
} from "@aws-sdk/client-s3";
import test from "ava";
import { snapshotName } from "../../../src/snapshots/name.js";
import { Azurite } from "../../support/stores/azurite.js";
import { backuptool, env as environment, lines } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { age, forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { onTerminal } from "../../support/program/pty.js";
import { newBucket, plainClient, radosgw } from "../../support/stores/s3-buckets.js";
import { bucketStore } from "../../support/stores/flags.js";
import { newSwiftContainer } from "../../support/stores/swift-auth.js";

/** A Local store with a real full backup and a real incremental over it. */
const store = newFolder();
const FULL = snapshotName({
  kind: "full",
  firstRevision: 0,
  lastRevision: 6,
  time: 1_700_000_000,
}).text;
const INCR = snapshotName({
  kind: "incremental",
  firstRevision: 7,
  lastRevision: 7,
  time: 1_700_003_600,
}).text;

test.before(async (t) => {
  const etcd = await EtcdServer.start();
  try {
    const make = async (name: string, ...more: string[]): Promise<void> => {
      const args = [
        "create",
        "--skip-ceph",
        "--etcd",
        etcd.endpoint,
        "--outputdir",
        join(store, name),
      ];
      const { code, stderr } = await backuptool([...args, ...more]);
      t.is(code, 0, stderr);
    };
    for (let i = 0; i < 5; i++) await etcd.put(Buffer.from(`key${i}`), Buffer.alloc(1_000_000, i));
    await make(FULL);
    await etcd.put(Buffer.from("key0"), Buffer.from("changed"));
    await make(INCR, "--incremental-over", join(store, FULL));
  } finally {
    await etcd.stop();
  }
});

const url = (folder: string): string => `file://${folder}`;

/** Runs a command without a passphrase; it must exit with `code`. */
async function run(
  t: { is(a: unknown, b: unknown, message?: string): void },
  code: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ out: string[]; err: string }> {
  const result = await backuptool(args, { env: { BACKUPTOOL_PASSPHRASE: undefined, ...env } });
  t.is(result.code, code, `${args.join(" ")}: ${result.stdout.toString()}${result.stderr}`);
  return { out: lines(result.stdout), err: result.stderr };
}

/** The output of `inspect` of a copied backup: it reads every byte with the passphrase. */
async function whole(t: { is(a: unknown, b: unknown, message?: string): void }, folder: string) {
  const { code, stderr } = await backuptool(["inspect", "--outputdir", folder]);
  t.is(code, 0, stderr);
}

test("copied backups open with their passphrase", async (t) => {
  const target = newFolder();
  const args = ["copy", "--store", url(store), "--secondary-store", url(target)];
  const first = await run(t, 0, args);
  t.regex(first.out[0] ?? "", new RegExp(`^copied ${FULL}: 3 of 3 files`));
  t.is(
    first.out.at(-1),
    `${url(store)} to ${url(target)}: 2 copied, 0 repaired, 0 there already, 0 failed`,
  );
  await whole(t, join(target, FULL));
  await whole(t, join(target, INCR));
  const again = await run(t, 0, [...args, "--json"]);
  const events = again.out.map((line) => JSON.parse(line));
  t.deepEqual(events.at(-1), {
    type: "copied",
    source: url(store),
    target: url(target),
    copied: 0,
    repaired: 0,
    present: 2,
    failed: 0,
  });
});

test("snapshot list shows both stores, bases, and incomplete snapshots", async (t) => {
  const [one, two] = [newFolder(), newFolder()];
  await run(t, 0, ["copy", "--store", url(store), "--secondary-store", url(one)]);
  await run(t, 0, [
    "copy",
    "--source-store",
    url(one),
    "--store",
    url(two),
    "--max-backup-age",
    "99999",
  ]);
  rmSync(join(two, INCR), { recursive: true });
  const left = forgeSnapshot(two, { time: 1_600_000_000, unfinished: true });
  const stores = ["--store", url(one), "--secondary-store", url(two)];
  const { out } = await run(t, 0, ["snapshot", "list", ...stores]);
  t.is(out.length, 4);
  t.regex(out[0] ?? "", /^NAME +KIND +TIME +AGE +ETCD REVISIONS +SIZE +FILES +BASE +STATE$/);
  t.regex(out[1] ?? "", new RegExp(`^${left.name} .* primary absent, secondary unfinished$`));
  t.regex(
    out[2] ?? "",
    new RegExp(
      `^${FULL} +full +2023-11-14T22:13:20Z +\\d+d +0-6 .* primary complete, secondary complete$`,
    ),
  );
  t.regex(
    out[3] ?? "",
    new RegExp(`^${INCR} +incremental .* 7-7 .* ${FULL} +primary complete, secondary absent$`),
  );
  const json = await run(t, 0, ["snapshot", "list", ...stores, "--json"]);
  const rows = json.out.map((line) => JSON.parse(line)).filter(({ type }) => type === "snapshot");
  t.deepEqual(
    rows.map(({ key, primary, secondary }) => [key, primary, secondary]),
    [
      [`${left.name}:0-0`, "absent", "unfinished"],
      [`${FULL}:0-6`, "complete", "complete"],
      [`${INCR}:7-7`, "complete", "absent"],
    ],
  );
  t.is(rows[2].base, rows[1].id);
});

test("snapshot list with one unreachable store shows the other, and exits with 3", async (t) => {
  const unreachable = [
    "--store",
    url(store),
    "--secondary-store",
    "s3://nothing",
    "--secondary-store-endpoint-override",
    "http://127.0.0.1:1",
  ];
  const env = { SECONDARY_AWS_ACCESS_KEY_ID: "a", SECONDARY_AWS_SECRET_ACCESS_KEY: "b" };
  const { out, err } = await run(t, 3, ["snapshot", "list", ...unreachable], env);
  t.is(out.length, 3);
  t.regex(err, /^warning: not listed: s3:\/\/nothing: /m);
});

test("snapshot verify finds a changed byte without a passphrase, and exits with 11", async (t) => {
  const folder = newFolder();
  await run(t, 0, ["copy", "--store", url(store), "--secondary-store", url(folder)]);
  const at = ["--store", url(folder)];
  const good = await run(t, 0, ["snapshot", "verify", "--read-data", ...at]);
  t.regex(good.out[0] ?? "", new RegExp(`^${INCR} in .*; 3 read \\(.*\\); good$`));
  const path = join(folder, FULL, "ARCHIVE00000.bin");
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  await run(t, 0, ["snapshot", "verify", FULL, ...at]);
  const bad = await run(t, 11, ["snapshot", "verify", FULL, "--read-data-subset", "100%", ...at]);
  t.is(bad.out[0], `damaged: ${FULL}/ARCHIVE00000.bin: its SHA-256 is not that of the manifest`);
  rmSync(join(folder, INCR, "INDEX.bin"));
  const missing = await run(t, 11, ["snapshot", "verify", INCR, ...at]);
  t.is(missing.out[0], `damaged: ${INCR}/INDEX.bin: it is not there`);
  rmSync(join(folder, INCR, "MANIFEST.json"));
  await run(t, 11, ["snapshot", "verify", INCR, ...at]);
});

test("snapshot delete keeps a base that is needed, and asks on a terminal", async (t) => {
  const folder = newFolder();
  await run(t, 0, ["copy", "--store", url(store), "--secondary-store", url(folder)]);
  const at = ["--store", url(folder)];
  const needed = await run(t, 1, ["snapshot", "delete", FULL, "--yes", ...at]);
  t.regex(
    needed.err,
    new RegExp(`^backuptool: ${FULL} is needed by ${INCR}; delete those first\n$`),
  );
  const dry = await run(t, 0, ["snapshot", "delete", INCR, "--dry-run", ...at]);
  t.regex(dry.out[0] ?? "", new RegExp(`^would delete ${INCR} in file://.*: 4 files, `));
  t.true(existsSync(join(folder, INCR)));
  const ask = { expect: "delete all of it?" };
  const no = await onTerminal(["snapshot", "delete", INCR, ...at], [{ ...ask, type: "n\r" }]);
  t.is(no.code, 1);
  t.true(existsSync(join(folder, INCR)));
  const yes = await onTerminal(["snapshot", "delete", INCR, ...at], [{ ...ask, type: "y\r" }]);
  t.is(yes.code, 0);
  t.false(existsSync(join(folder, INCR)));
  await run(t, 0, ["snapshot", "delete", FULL, "--yes", ...at]);
  t.deepEqual(readdirSync(folder), [".backuptool"]);
  t.deepEqual(readdirSync(join(folder, ".backuptool")), ["reserve"]);
});

test("snapshot prune-incomplete removes only old left-overs", async (t) => {
  const folder = newFolder();
  const old = forgeSnapshot(folder, { time: 1_600_000_000, unfinished: true });
  for (const file of readdirSync(old.folder)) age(join(old.folder, file), 1_600_000_000);
  const young = forgeSnapshot(folder, { time: 1_600_000_001, unfinished: true });
  const complete = forgeSnapshot(folder, { time: 1_600_000_002 });
  const args = ["snapshot", "prune-incomplete", "--store", url(folder)];
  await run(t, 0, [...args, "--dry-run"]);
  t.is(readdirSync(folder).length, 3);
  const { out, err } = await run(t, 0, args);
  t.regex(out[0] ?? "", new RegExp(`^deleted ${old.name} in `));
  t.regex(
    err,
    new RegExp(`^${young.name} in .* is unfinished, and too recent to be deleted$`, "m"),
  );
  t.deepEqual(readdirSync(folder).sort(), [young.name, complete.name].sort());
});

test("two stores in the same place, a missing store and a wrong name are rejected with 2", async (t) => {
  const folder = newFolder();
  mkdirSync(join(folder, "a"));
  const same = ["--store", url(folder), "--secondary-storage-provider", "Local"];
  const twice = [
    ...same,
    "--secondary-store-container",
    `${folder}/../${folder.split("/").at(-1)}`,
  ];
  t.regex((await run(t, 2, ["copy", ...twice])).err, /both stores are the same place/);
  t.regex((await run(t, 2, ["snapshot", "list", ...twice])).err, /both stores are the same place/);
  t.regex((await run(t, 2, ["copy", "--store", url(folder)])).err, /there is no secondary store/);
  t.regex((await run(t, 2, ["snapshot", "list"])).err, /there is no primary store; .*--store/);
  t.regex(
    (await run(t, 2, ["snapshot", "verify", "../x", "--store", url(folder)])).err,
    /invalid snapshot name/,
  );
  t.regex((await run(t, 2, ["snapshot"])).err, /needs one more word/);
  t.regex((await run(t, 2, ["snapshot", "lst"])).err, /did you mean snapshot list\?/);
  t.regex(
    (await run(t, 2, ["snapshot", "list", "x", "--store", url(folder)])).err,
    /no argument "x"/,
  );
});

test("copy to a bucket of S3 and back, with credentials of the secondary", async (t) => {
  const bucket = await newBucket({ user: "two" });
  const { endpoint, credentials } = radosgw("two");
  const path = join(newFolder(), "s3.json");
  const json = {
    accessKeyID: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    endpoint,
    region: "us-east-1",
    s3ForcePathStyle: true,
  };
  writeFileSync(path, JSON.stringify(json));
  const env = {
    SECONDARY_AWS_APPLICATION_CREDENTIALS_JSON: path,
    SOURCE_AWS_APPLICATION_CREDENTIALS_JSON: path,
  };
  const there = [
    "--store",
    url(store),
    "--secondary-storage-provider",
    "S3",
    "--secondary-store-container",
    bucket,
    "--secondary-store-prefix",
    "a/b",
  ];
  await run(t, 0, ["copy", ...there], env);
  const second = await run(t, 0, ["copy", ...there], env);
  t.regex(second.out.at(-1) ?? "", /0 copied, 0 repaired, 2 there already, 0 failed$/);
  const list = await run(t, 0, ["snapshot", "list", ...there, "--json"], env);
  const rows = list.out.map((line) => JSON.parse(line)).filter(({ type }) => type === "snapshot");
  t.deepEqual(
    rows.map(({ name, secondary }) => [name, secondary]),
    [FULL, INCR].map((name) => [name, "complete"]),
  );
  await run(t, 0, ["snapshot", "verify", "--from", "secondary", "--read-data", ...there], env);
  await run(t, 1, ["snapshot", "delete", FULL, "--yes", "--from", "secondary", ...there], env);
  const client = plainClient("two");
  for (const Key of [`a/b/${FULL}/INDEX.bin`, "a/b/left", "a/other"]) {
    await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key }));
  }
  client.destroy();
  const prune = ["snapshot", "prune-incomplete", "--from", "secondary", ...there];
  const young = await run(t, 0, prune, env);
  t.regex(young.out.at(-1) ?? "", /^aborted 0 stale uploads /);
  // Times of servers have a resolution of a second.
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const stale = await run(t, 0, [...prune, "--grace-period", "0s"], env);
  t.regex(stale.out.at(-1) ?? "", /^aborted 1 stale upload /);
  const back = newFolder();
  await run(t, 0, ["copy", "--source-store", `s3://${bucket}/a/b`, "--store", url(back)], env);
  await whole(t, join(back, FULL));
  await whole(t, join(back, INCR));
  await run(t, 0, ["snapshot", "delete", INCR, "--yes", "--from", "secondary", ...there], env);
  await run(t, 0, ["snapshot", "delete", FULL, "--yes", "--from", "secondary", ...there], env);
  const empty = await run(t, 0, ["snapshot", "list", "--store", `s3://${bucket}/a/b`], {
    AWS_APPLICATION_CREDENTIALS_JSON: path,
  });
  t.deepEqual(empty.out, [""]);
  t.regex(empty.err, /there are no snapshots/);
});

test("copy from a folder to Azure, with a key file and the endpoint of an emulator", async (t) => {
  const azurite = await Azurite.start();
  try {
    await azurite.newContainer("backups");
    const path = join(newFolder(), "azure.json");
    writeFileSync(
      path,
      JSON.stringify({ storageAccount: azurite.account, storageKey: azurite.key }),
    );
    const env = {
      SECONDARY_AZURE_APPLICATION_CREDENTIALS_JSON: path,
      SECONDARY_AZURE_EMULATOR_ENABLED: "true",
      SECONDARY_AZURE_STORAGE_API_ENDPOINT: new URL(azurite.endpoint).origin,
    };
    const stores = ["--store", url(store), "--secondary-store", "azblob://backups/p"];
    await run(t, 0, ["copy", ...stores], env);
    const again = await run(t, 0, ["copy", ...stores], env);
    t.regex(again.out.at(-1) ?? "", /2 there already, 0 failed$/);
    const verify = ["snapshot", "verify", FULL, "--read-data", "--from", "secondary", ...stores];
    t.regex((await run(t, 0, verify, env)).out[0] ?? "", /; good$/);
  } finally {
    azurite.stop();
  }
});

test("copy from a folder to Swift, with user and key of its old protocol", async (t) => {
  await newSwiftContainer("copies");
  const swift = {
    SECONDARY_ST_AUTH: environment("SWIFT_AUTH"),
    SECONDARY_ST_USER: environment("SWIFT_USER"),
    SECONDARY_ST_KEY: environment("SWIFT_KEY"),
  };
  const stores = ["--store", url(store), "--secondary-store", "swift://copies/p"];
  await run(t, 0, ["copy", ...stores], swift);
  const again = await run(t, 0, ["copy", ...stores], swift);
  t.regex(again.out.at(-1) ?? "", /2 there already, 0 failed$/);
  const verify = ["snapshot", "verify", FULL, "--read-data", "--from", "secondary", ...stores];
  t.regex((await run(t, 0, verify, swift)).out[0] ?? "", /; good$/);
});

test("a locked file with other content stays, is reported each time, and copy exits with 3", async (t) => {
  const bucket = await newBucket({ objectLock: true });
  const { endpoint, credentials } = radosgw();
  const env = {
    SECONDARY_AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    SECONDARY_AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  };
  const to = [
    "--secondary-store",
    `s3://${bucket}`,
    "--secondary-store-endpoint-override",
    endpoint,
  ];
  const [one, other] = [newFolder(), newFolder()];
  const { name } = forgeSnapshot(one, { time: 1_600_000_000 });
  await run(t, 0, ["copy", "--store", url(one), ...to], env);
  const client = plainClient();
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  t.is(Contents.length, 4);
  const RetainUntilDate = new Date(Date.now() + 120_000);
  for (const { Key } of Contents) {
    const Retention = { Mode: "COMPLIANCE", RetainUntilDate } as const;
    await client.send(new PutObjectRetentionCommand({ Bucket: bucket, Key, Retention }));
  }
  client.destroy();
  forgeSnapshot(other, { time: 1_600_000_000 });
  for (let i = 0; i < 2; i++) {
    const { err, out } = await run(t, 3, ["copy", "--store", url(other), ...to], env);
    t.regex(err, new RegExp(`^NOT COPIED: ${name}: .*locked`, "m"));
    t.regex(out.at(-1) ?? "", /0 copied, 0 repaired, 0 there already, 1 failed$/);
  }
  const secondary = ["--store", url(one), ...to, "--from", "secondary"];
  await run(t, 0, ["snapshot", "verify", name, "--read-data", ...secondary], env);
  await run(t, 1, ["snapshot", "delete", name, "--yes", ...secondary], env);
  await run(t, 0, ["snapshot", "verify", name, "--read-data", ...secondary], env);
});

test("copy takes the newest backups only, or the young ones, and rejects invalid numbers", async (t) => {
  const from = newFolder();
  const now = Math.floor(Date.now() / 1000);
  const [old, base] = [now - 40 * 86_400, now - 30 * 86_400].map((time) =>
    forgeSnapshot(from, { time }),
  );
  const over = forgeSnapshot(from, { time: now - 86_400, ...(base && { base }) });
  const expected = [base?.name, over.name].sort();
  for (const limit of [
    ["--max-backups-to-copy", "1"],
    ["--max-backup-age", "15"],
    ["--max-backup-age", "48h", "--max-backups-to-copy", "-1"],
  ]) {
    const to = newFolder();
    await run(t, 0, ["copy", "--store", url(from), "--secondary-store", url(to), ...limit]);
    t.deepEqual(readdirSync(to).sort(), expected, `${limit} ${old?.name}`);
  }
  for (const wrong of [
    ["--max-backups-to-copy", "0"],
    ["--max-backup-age", "old"],
    ["--max-parallel-copy-operations", "0"],
    ["--backup-sync-max-retries", "-2"],
    ["--backup-sync-retry-backoff", "soon"],
    ["--secondary-min-chunk-size", "1KiB"],
  ]) {
    const args = ["copy", "--store", url(from), "--secondary-store", url(newFolder()), ...wrong];
    t.regex((await run(t, 2, args)).err, new RegExp(`${wrong[0]} `));
  }
});

test("an interrupted copy prints how to go on, and exits with 130", async (t) => {
  const from = newFolder();
  forgeSnapshot(from, { time: 1000, sizes: [1000, 6 << 20] });
  let interrupt = (): void => {};
  // No request is answered, so the copy runs until the signal.
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method }) => {
    if (method !== "PUT" && method !== "POST") return undefined;
    interrupt();
    return { kind: "hang" };
  });
  t.teardown(() => proxy.close());
  const to = bucketStore(await newBucket(), { endpoint: proxy.url });
  const copy = ["copy", "--store", url(from), ...to.flags("secondary")];
  const { code, stderr } = await backuptool(copy, {
    env: to.env("secondary"),
    onStart: (child) => {
      interrupt = () => {
        // A second signal would end it at once.
        interrupt = () => {};
        child.kill("SIGINT");
      };
    },
  });
  t.is(code, 130, stderr);
  t.regex(stderr, /run the same copy again: it goes on where this one ended\n$/);
});

// Serial: other tests of this file would keep this process busy while the copy is to be killed.
test.serial(
  "a killed copy leaves nothing that looks complete, and the next copy completes it",
  async (t) => {
    const [from, to] = [newFolder(), newFolder()];
    const made = [1, 2, 3].map((i) =>
      forgeSnapshot(from, { time: 1_600_000_000 + i, sizes: [1000, 20 << 20, 20 << 20] }),
    );
    const args = ["copy", "--store", url(from), "--secondary-store", url(to)];
    const names = () => readdirSync(to, { recursive: true }).join();
    let killed = 0;
    for (let i = 0; i < 6; i++) {
      const before = names();
      const { signal } = await backuptool(args, {
        // Soon after the copy has begun to write; its start takes longer on a busy machine.
        onStart: (child) => {
          const watch = setInterval(() => {
            if (names() === before) return;
            clearInterval(watch);
            setTimeout(() => child.kill("SIGKILL"), 15 * i);
          }, 2);
          child.once("exit", () => clearInterval(watch));
        },
      });
      if (signal === "SIGKILL") killed++;
      // A copy that was complete too early would leave nothing to do for the next one.
      else for (const name of readdirSync(to)) rmSync(join(to, name), { recursive: true });
      for (const { name } of made) {
        if (!existsSync(join(to, name, "MANIFEST.json"))) continue;
        await run(t, 0, ["snapshot", "verify", name, "--read-data", "--store", url(to)]);
      }
    }
    t.true(killed > 0);
    await run(t, 0, args);
    for (const { name } of made) {
      await run(t, 0, ["snapshot", "verify", name, "--read-data", "--store", url(to)]);
    }
    await run(t, 0, ["snapshot", "prune-incomplete", "--store", url(to), "--grace-period", "0s"]);
    for (const { name, folder } of made) {
      t.deepEqual(readdirSync(join(to, name)).sort(), readdirSync(folder).sort());
    }
  },
);
