import { existsSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import type { LiveState } from "../../support/servers/random-history.js";

let recorded: RecordedEtcd;
let states: readonly LiveState[];
let raw: string;

test.before(async () => {
  const etcd = await EtcdServer.start();
  recorded = new RecordedEtcd(etcd, "moments by the program");
  try {
    await etcd.ctl("put", "first", "1");
    raw = await recorded.base();
    for (let round = 0; round < 3; round++) {
      await recorded.history.run(10);
      const { compactRevision } = await recorded.history.observe();
      await recorded.flush({ compactRevision });
    }
    ({ states } = recorded.history);
  } finally {
    await recorded.close();
    await etcd.stop();
  }
});

function restore(...args: string[]) {
  return backuptool(["restore", "--store", recorded.url, ...args]);
}

/** Keys and values in the order of the keys, base64. */
function pairsOf({ records }: LiveState): [string, string][] {
  return records.map(({ key, value }) => [
    Buffer.from(key).toString("base64"),
    Buffer.from(value).toString("base64"),
  ]);
}

test.serial(
  "a moment becomes a file for etcdctl, and the program says what it is made of",
  async (t) => {
    const state = states[1];
    if (state === undefined) return t.fail();
    const out = join(newFolder(), "etcd.db");
    const revision = String(state.revision);
    const { code, stdout, stderr } = await restore(
      "--target-revision",
      revision,
      "--etcd-snapshot-out",
      out,
    );
    t.is(code, 0, stderr);
    const [first, ...more] = lines(stdout);
    t.is(first, "skipping ceph backup");
    t.regex(
      more.at(-1) ?? "",
      new RegExp(`^ETCD SNAPSHOT DONE; ".*etcd.db": revision ${revision}, `),
    );
    t.regex(
      stderr,
      new RegExp(`etcd revision ${revision}, seen at .* in ${raw}.* of deltas in Etcd-`),
    );
    t.regex(stderr, /no delta holds users and roles .*as of revision 2/);
    const etcd = await EtcdServer.start();
    t.teardown(() => etcd.stop());
    await etcd.restoreFrom(out);
    t.deepEqual(await etcd.pairs(), pairsOf(state));
  },
);

test.serial("a data dir is as new as the deltas are", async (t) => {
  const dir = join(newFolder(), "m1");
  const { code, stdout, stderr } = await restore("--etcd-data-dir", dir, "--name", "m1");
  t.is(code, 0, stderr);
  const newest = states.at(-1)?.revision;
  t.regex(lines(stdout).at(-1) ?? "", new RegExp(`: member "m1", revision ${newest}$`));
  t.true(existsSync(join(dir, "member", "snap", "db")));
});

test.serial("a moment is put into a live etcd, which goes on", async (t) => {
  const state = states[1];
  if (state === undefined) return t.fail();
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const seen = recorded.seenMs.get(state.revision) ?? 0;
  const { code, stdout, stderr } = await restore(
    "--etcd",
    etcd.endpoint,
    "--leases",
    "keep-forever",
    "--target-time",
    new Date(seen).toISOString(),
  );
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), new RegExp(`restored  ${state.records.length} etcd records`));
  t.regex(stderr, /etcd goes on after its revision 1: its clients see/);
  t.deepEqual(await etcd.pairs(), pairsOf(state));
});

test.serial("a backup with a raw snapshot alone is restored to a live etcd", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const { code, stdout, stderr } = await restore(
    "--etcd",
    etcd.endpoint,
    "--skip-ceph",
    "--snapshot",
    raw,
  );
  t.is(code, 0, stderr);
  t.regex(stdout.toString(), /restored {2}1 etcd records/);
  t.is((await etcd.ctl("get", "first", "--print-value-only")).trim(), "1");
});

test("settings that contradict each other are an error before anything is done", async (t) => {
  const out = join(newFolder(), "etcd.db");
  const cases: [string[], RegExp][] = [
    [["--target-revision", "5", "--target-time", "2026-01-01T00:00:00Z"], /both name a moment/],
    [["--etcd-snapshot-out", out, "--etcd-data-dir", `${out}.d`], /makes one of them/],
    [["--etcd-snapshot-out", out, "--restore-pool", "a:b"], /Ceph is left alone/],
    [["--etcd-snapshot-out", out, "--etcd-quarantine"], /of an etcd that is alive/],
    [
      ["--etcd-data-dir", `${out}.d`, "--initial-cluster", "a=http://a:1,b=http://b:1"],
      /--initial-cluster-token is needed/,
    ],
    [["--etcd-data-dir", `${out}.d`, "--etcd-quarantine"], /of an etcd that is alive/],
    [["--target-revision", "5", "--restore-pool", "a:b"], /of etcd alone/],
    [["--bump-revision", "5"], /of a file or a data dir/],
    [["--target-time", "2026-01-01T00:00"], /is not a time/],
    [["--target-time", "2999-01-01T00:00:00Z", "--etcd-snapshot-out", out], /in the future/],
    [["--target-revision", "0"], /neither a revision/],
  ];
  for (const [args, words] of cases) {
    const { code, stderr } = await restore(...args);
    t.is(code, 2, args.join(" "));
    t.regex(stderr, words, args.join(" "));
  }
  t.false(existsSync(out));
});

test("a revision that the store does not hold is an error that says what it holds", async (t) => {
  const out = join(newFolder(), "etcd.db");
  const { code, stderr } = await restore("--target-revision", "9999", "--etcd-snapshot-out", out);
  t.is(code, 1);
  t.regex(stderr, /does not hold revision 9999 of etcd; it holds the revisions 2 to \d+/);
  t.false(existsSync(out));
});
