import { setMaxListeners } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ListObjectsV2Command, PutObjectRetentionCommand } from "@aws-sdk/client-s3";
import test, { type ExecutionContext } from "ava";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { newFolder } from "../../support/folders.js";
import { backuptool, createOfEtcd, lines } from "../../support/program/backuptool.js";
import { onTerminal } from "../../support/program/pty.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { bucketStore, folderStore, type NamedStore } from "../../support/stores/flags.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { newBucket, plainClient } from "../../support/stores/s3-buckets.js";

const { signal } = new AbortController();
// Shared by all tests.
setMaxListeners(0, signal);
const DAY = 86_400;
const now = Math.floor(Date.now() / 1000);

/** Runs a command without a passphrase; it must exit with `code`. */
async function run(
  t: ExecutionContext,
  code: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<{ out: string[]; err: string }> {
  const result = await backuptool(args, { env: { BACKUPTOOL_PASSPHRASE: undefined, ...env } });
  t.is(result.code, code, `${args.join(" ")}: ${result.stdout.toString()}${result.stderr}`);
  return { out: lines(result.stdout), err: result.stderr };
}

async function namesIn(store: NamedStore): Promise<string[]> {
  const opened = store.open();
  try {
    return (await listSnapshots(opened, signal)).map(({ name }) => name.text);
  } finally {
    await opened.close();
  }
}

const STORES: Readonly<Record<string, () => Promise<NamedStore>>> = {
  Local: async () => folderStore(newFolder()),
  "S3 of radosgw": async () => bucketStore(await newBucket(), { prefix: "p/v2" }),
};

for (const [provider, newStore] of Object.entries(STORES)) {
  test(`prune deletes by the rules, honours holds, and what stays is restored: ${provider}`, async (t) => {
    const store = await newStore();
    const at = store.flags();
    const env = store.env();
    const etcd = await EtcdServer.start();
    const made: string[] = [];
    try {
      const create = async (...more: string[]): Promise<void> => {
        await etcd.put(Buffer.from("key"), Buffer.from(`value ${made.length}`));
        const { code, stderr } = await backuptool(createOfEtcd(etcd, ...at, ...more), { env });
        t.is(code, 0, stderr);
        made.push((await namesIn(store)).at(-1) ?? "");
      };
      const over = ["--incremental-over", "latest"];
      for (const more of [[], over, over, [], over, [], over, over]) await create(...more);
    } finally {
      await etcd.stop();
    }
    const [full1 = "", incr1 = "", incr2 = "", full2 = "", incr3 = "", ...newest] = made;
    t.deepEqual(await namesIn(store), made);
    const limit = ["--garbage-collection-policy", "LimitBased", "--max-backups", "1"];

    const dry = await run(t, 0, ["prune", ...limit, ...at, "--dry-run"], env);
    t.regex(dry.out[0] ?? "", /^NAME +KIND +TIME +PRUNE +REASON$/);
    t.deepEqual(
      dry.out.slice(1, -1).map((line) => line.split(/ +/).filter((_, i) => i === 0 || i === 3)),
      made.map((name) => [name, newest.includes(name) ? "keep" : "DELETE"]),
    );
    t.regex(dry.out.at(-1) ?? "", /: 3 to keep, 5 to delete$/);
    t.deepEqual(await namesIn(store), made);

    const held = await run(t, 0, ["snapshot", "hold", incr1, "--reason", "audit", ...at], env);
    t.regex(held.out[0] ?? "", new RegExp(`^held ${incr1} in .*, with 1 base$`));
    const listed = await run(t, 0, ["snapshot", "list", ...at], env);
    t.deepEqual(
      listed.out
        .filter((line) => line.endsWith("complete (held)"))
        .map((line) => line.split(" ")[0]),
      [incr1],
    );
    t.regex(listed.err, new RegExp(`^${incr1}: held since .*: audit$`, "m"));
    for (const name of [incr1, full1]) {
      const { err } = await run(t, 1, ["snapshot", "delete", name, "--yes", ...at], env);
      t.regex(err, /is held; |is needed by .*, which is held; /);
    }

    const noAnswer = await run(t, 2, ["prune", ...limit, ...at], env);
    t.regex(noAnswer.err, /prune cannot ask before it deletes/);
    const json = await run(t, 0, ["prune", ...limit, ...at, "--yes", "--json"], env);
    const events = json.out.map((line) => JSON.parse(line));
    const codes = new Map(
      events
        .filter(({ type }) => type === "retention-decision")
        .map(({ snapshot, reasons }) => [
          snapshot,
          reasons.map(({ code }: { code: string }) => code),
        ]),
    );
    t.deepEqual(codes.get(full1), ["base-of"]);
    t.deepEqual(codes.get(incr1), ["held"]);
    for (const name of [incr2, full2, incr3]) t.deepEqual(codes.get(name), ["no-rule"]);
    const { kept, deleted, failed, dryRun } = events.at(-1);
    t.deepEqual(
      { kept, deleted, failed, dryRun },
      { kept: 5, deleted: 3, failed: 0, dryRun: false },
    );
    t.deepEqual(await namesIn(store), [full1, incr1, ...newest]);

    for (const name of [incr1, newest.at(-1) ?? ""]) {
      const { code, stderr } = await backuptool(["inspect", ...at, "--snapshot", name], { env });
      t.is(code, 0, stderr);
    }
    const released = await run(t, 0, ["snapshot", "release", incr1, ...at], env);
    t.regex(released.out[0] ?? "", new RegExp(`^released ${incr1} in `));
    const again = await run(t, 1, ["snapshot", "release", incr1, ...at], env);
    t.regex(again.err, /is not held; /);
    await run(t, 0, ["prune", ...limit, ...at, "--yes"], env);
    t.deepEqual(await namesIn(store), newest);
    const last = await run(t, 0, ["prune", ...limit, ...at, "--yes"], env);
    t.regex(last.out[0] ?? "", /: 3 kept, 0 deleted, 0 failed$/);
  });
}

/** A full backup each day, the newest two hours ago. */
function forgeDays(folder: string, days: number) {
  return Array.from({ length: days }, (_, i) =>
    forgeSnapshot(folder, { time: now - (days - 1 - i) * DAY - 7200 }),
  );
}

test("prune asks on a terminal, and deletes nothing without a yes", async (t) => {
  const folder = newFolder();
  const made = forgeDays(folder, 3).map(({ name }) => name);
  const args = [
    "prune",
    "--store",
    `file://${folder}`,
    "--garbage-collection-policy",
    "LimitBased",
  ];
  const ask = { expect: "delete all of it?" };
  const no = await onTerminal([...args, "--max-backups", "1"], [{ ...ask, type: "n\r" }]);
  t.is(no.code, 1);
  t.deepEqual(readdirSync(folder).sort(), made);
  const yes = await onTerminal([...args, "--max-backups", "1"], [{ ...ask, type: "y\r" }]);
  t.is(yes.code, 0);
  t.deepEqual(readdirSync(folder).sort(), [".backuptool", ...made.slice(2)]);
  t.deepEqual(readdirSync(join(folder, ".backuptool")), ["reserve"]);
  // Nothing to ask about.
  const none = await onTerminal([...args, "--max-backups", "1"], []);
  t.is(none.code, 0);
});

test("a locked snapshot of a bucket stays with its base, and prune says until when", async (t) => {
  const bucket = await newBucket({ objectLock: true });
  const store = bucketStore(bucket);
  const local = newFolder();
  const [old, ...days] = forgeDays(local, 3);
  const over = forgeSnapshot(local, { time: now - 2 * DAY, ...(old && { base: old }) });
  const to = ["--store", `file://${local}`, ...store.flags("secondary")];
  await run(t, 0, ["copy", ...to], store.env("secondary"));
  const client = plainClient();
  const { Contents = [] } = await client.send(
    new ListObjectsV2Command({ Bucket: bucket, Prefix: over.name }),
  );
  const until = new Date(Date.now() + 120_000);
  for (const { Key } of Contents) {
    const Retention = { Mode: "GOVERNANCE", RetainUntilDate: until } as const;
    await client.send(new PutObjectRetentionCommand({ Bucket: bucket, Key, Retention }));
  }
  client.destroy();
  const limit = ["--garbage-collection-policy", "LimitBased", "--max-backups", "1"];
  const both = [...to, "--from", "secondary"];
  const { out } = await run(
    t,
    0,
    ["prune", ...limit, ...both, "--dry-run"],
    store.env("secondary"),
  );
  t.regex(out[2] ?? "", new RegExp(`^${over.name} .* keep +locked until \\d{4}-.*Z$`));
  await run(t, 0, ["prune", ...limit, ...both, "--yes"], store.env("secondary"));
  t.deepEqual(await namesIn(store), [old?.name, over.name, days[1]?.name]);
  t.is(readdirSync(local).length, 4);
});

test("the policy, its rules and the time zone come from a file, and contradictions are errors", async (t) => {
  const folder = newFolder();
  const made = forgeDays(folder, 30).map(({ name }) => name);
  const dry = ["prune", "--store", `file://${folder}`, "--dry-run"];
  const kept = (out: readonly string[]): number => out.filter((line) => / keep /.test(line)).length;
  const keep = { BACKUPTOOL_GARBAGE_COLLECTION_POLICY: "Keep", BACKUPTOOL_KEEP_DAILY: "5" };
  t.is(kept((await run(t, 0, dry, keep)).out), 5);
  const typed = [...dry, "--garbage-collection-policy", "LimitBased"];
  t.is(kept((await run(t, 0, typed, keep)).out), 7);
  t.is(kept((await run(t, 0, [...dry, "--keep-within", "3d1h"], keep)).out), 5);
  for (const [args, message] of [
    [["--keep-daily", "7"], /--keep-daily has no effect with the policy Exponential; choose Keep/],
    [
      ["--max-backups", "7"],
      /--max-backups has no effect .*--garbage-collection-policy LimitBased/,
    ],
    [["--garbage-collection-policy", "Keep"], /is Keep, without a rule; .*--keep-last/],
    [
      ["--garbage-collection-policy", "LimitBased", "--keep-last", "1"],
      /--garbage-collection-policy contradicts --keep-last/,
    ],
    [["--schedule-time-zone", "Berlin"], /--schedule-time-zone "Berlin" is not a time zone/],
    [["--garbage-collection-policy", "all"], /is not one of "Exponential", "LimitBased", "Keep"/],
  ] as const) {
    t.regex((await run(t, 2, [...dry, ...args])).err, message);
  }
  t.is(readdirSync(folder).length, made.length);
});

test("a hold needs a snapshot that is there, and a released one may be gone", async (t) => {
  const folder = newFolder();
  const one = forgeSnapshot(folder, { time: 1_700_000_000 });
  const at = ["--store", `file://${folder}`];
  await run(t, 2, ["snapshot", "hold", ...at]);
  await run(t, 2, ["snapshot", "hold", "x", ...at]);
  await run(t, 2, ["snapshot", "release", "latest", ...at]);
  await run(t, 2, ["snapshot", "hold", one.name, "--reason", "x".repeat(501), ...at]);
  const missing = "Full-00000000-00000000-1700000001";
  const { err } = await run(t, 1, ["snapshot", "hold", missing, ...at]);
  t.regex(err, /holds no snapshot/);
  t.false(existsSync(join(folder, ".backuptool")));
  await run(t, 0, ["snapshot", "hold", "latest", ...at]);
  t.true(existsSync(join(folder, ".backuptool", "holds", one.name)));
  const other = ["--secondary-store", `file://${newFolder()}`];
  const { out } = await run(t, 0, ["snapshot", "list", ...at, ...other]);
  t.regex(out[1] ?? "", / primary complete \(held\), secondary absent$/);
  const rows = await run(t, 0, ["snapshot", "list", ...at, ...other, "--json"]);
  t.like(JSON.parse(rows.out[1] ?? ""), { name: one.name, held: [{ in: "primary" }] });
  await run(t, 0, ["snapshot", "release", one.name, ...at]);
  t.deepEqual(readdirSync(folder), [one.name]);
});

test("after a long pause prune deletes the history at a terminal, and not from a timer", async (t) => {
  const folder = newFolder();
  for (let day = 0; day < 5; day++) forgeSnapshot(folder, { time: now - (60 - day) * DAY });
  const { name } = forgeSnapshot(folder, { time: now - DAY });
  const args = ["prune", "--store", `file://${folder}`, "--yes"];
  const { err } = await run(t, 1, args);
  t.regex(err, /5 of the 5 snapshots up to .* would go only because the next one/);
  t.is((await namesIn(folderStore(folder))).length, 6);
  const { code, screen } = await onTerminal(args, []);
  t.is(code, 0, screen.join("\n"));
  t.regex(screen.join(" "), /would go only because/);
  t.deepEqual(await namesIn(folderStore(folder)), [name]);
});
