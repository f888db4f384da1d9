import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { BackupToolError, UsageError } from "../../../src/errors.js";
import { compactHistory } from "../../../src/operations/history/compact.js";
import { DEFAULT_MEMBER, type MemberOptions } from "../../../src/operations/history/data-dir.js";
import type { HistoryTarget } from "../../../src/operations/history/history-target.js";
import { makeEtcdDataDir } from "../../../src/operations/history/make-data-dir.js";
import { writeEtcdSnapshot } from "../../../src/operations/history/write-snapshot.js";
import type { BackupLocation } from "../../../src/operations/open/backup-location.js";
import { parseSnapshotName } from "../../../src/snapshots/name.js";
import { compactOptions } from "../../support/history/compact-options.js";
import { newFolder } from "../../support/folders.js";
import { backuptool } from "../../support/program/backuptool.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { judgeDatabase } from "../../support/servers/judged-database.js";
import type { LiveState } from "../../support/servers/random-history.js";

const unknownLeaseTtlSeconds = 3600;
const MEMBER = { ...DEFAULT_MEMBER, initialClusterToken: "never used" };

/** For the judging of databases. */
let judge: EtcdServer;
/** Six deltas in two streams, and two raw snapshots: before all, and after the fourth delta. */
let recorded: RecordedEtcd;
let states: readonly LiveState[];
let bases: [string, string];
/** Of the etcd whose history it is, which was founded with etcd's default of a token. */
let peerUrl: string;

test.before(async () => {
  judge = await EtcdServer.start();
  const etcd = await EtcdServer.start();
  recorded = new RecordedEtcd(etcd, "a history of six deltas");
  try {
    peerUrl = (await etcd.ctl("member", "list")).split(", ")[3] ?? "";
    await etcd.ctl("put", "first", "1");
    const first = await recorded.base();
    let second = "";
    for (let round = 0; round < 6; round++) {
      await recorded.history.run(12);
      const { compactRevision } = await recorded.history.observe();
      await recorded.flush({ compactRevision });
      if (round === 1) recorded.beginStream();
      if (round === 3) second = await recorded.base("both");
    }
    ({ states } = recorded.history);
    bases = [first, second];
  } finally {
    await recorded.close();
    await etcd.stop();
  }
});
test.after.always(() => judge?.stop());

/** What was reported by a restore into a new file, and the file. */
async function restore(
  target: HistoryTarget,
  { location = recorded.location as BackupLocation, bumpRevision }: RestoreChoice = {},
) {
  const folder = newFolder();
  const out = join(folder, "etcd.db");
  const before = recorded.events.length;
  const { complete } = await writeEtcdSnapshot(
    { location, target, out, bumpRevision, unknownLeaseTtlSeconds },
    recorded.context,
  );
  const events = recorded.events.slice(before);
  const [made] = events.filter((event) => event.type === "etcd-snapshot-made");
  const [chosen] = events.filter((event) => event.type === "etcd-history");
  const warnings = events.flatMap((event) => (event.type === "warning" ? [event.message] : []));
  if (made === undefined || chosen === undefined) throw new Error("nothing was reported");
  return { out, folder, made, chosen, warnings, complete };
}

interface RestoreChoice {
  readonly location?: BackupLocation;
  readonly bumpRevision?: number;
}

/** A copy of the store, in which a test may break things. */
function copyOfStore() {
  const container = newFolder();
  cpSync(recorded.folder, container, { recursive: true });
  const store = { provider: "Local", container, prefix: "" } as const;
  return {
    container,
    store,
    location: { kind: "snapshot", stores: [store], snapshot: "latest" },
  } as const;
}

function flipByte(path: string): void {
  const bytes = readFileSync(path);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
}

function revisionOf(base: string): number {
  return parseSnapshotName(base)?.lastRevision ?? 0;
}

function stateAt(i: number): LiveState {
  const state = states.at(i);
  if (state === undefined) throw new Error(`no state ${i}`);
  return state;
}

async function isState(t: ExecutionContext, i: number, location?: BackupLocation) {
  const state = stateAt(i);
  const restored = await restore(
    { kind: "revision", revision: state.revision },
    location === undefined ? {} : { location },
  );
  await judgeDatabase(t, judge, restored.out, state, restored.made);
  return restored;
}

test.serial(
  "any revision over bases, deltas and streams is the etcd that was live then",
  async (t) => {
    for (const i of states.keys()) {
      const { folder, chosen, warnings } = await isState(t, i);
      t.deepEqual(readdirSync(folder), ["etcd.db"]);
      t.deepEqual(warnings, []);
      t.is(chosen.base, stateAt(i).revision < revisionOf(bases[1]) ? bases[0] : bases[1]);
    }
  },
);

test.serial("a moment is the last revision that was seen by then", async (t) => {
  const { revision } = stateAt(2);
  const seen = recorded.seenMs.get(revision) ?? 0;
  const next = recorded.seenMs.get(revision + 1) ?? 0;
  t.true(seen < next);
  for (const timeMs of [seen, next - 1]) {
    const { made, chosen, complete } = await restore({ kind: "time", timeMs });
    t.deepEqual([made.revision, complete], [revision, true]);
    t.is(chosen.seenAt, new Date(seen).toISOString());
  }
  const { made } = await restore({ kind: "time", timeMs: next });
  t.is(made.revision, revision + 1);
});

test.serial("a moment before all that is held is an error", async (t) => {
  await t.throwsAsync(restore({ kind: "time", timeMs: 1_000_000 }), { code: "TIME_NOT_HELD" });
});

test.serial("the newest revision is the last one of the deltas", async (t) => {
  const { made, complete } = await restore({ kind: "newest" });
  t.deepEqual([made.revision, complete], [stateAt(-1).revision, true]);
});

test.serial("of a backup that is named, it is the backup's own", async (t) => {
  for (const snapshot of bases) {
    const { made, chosen } = await restore(
      { kind: "newest" },
      { location: { ...recorded.location, snapshot } },
    );
    t.is(chosen.base, snapshot);
    t.is(chosen.revisionsOfDeltas, 0);
    t.is(made.revision, revisionOf(snapshot));
  }
});

test.serial("a raw snapshot alone gives the revisions that it still holds", async (t) => {
  const folder = join(newFolder(), "backup");
  cpSync(join(recorded.folder, bases[1]), folder, { recursive: true });
  const location = { kind: "folder", folder } as const;
  const { compactRevision } = stateAt(3);
  const held = [...states.keys()].filter((i) => {
    const { revision } = stateAt(i);
    return revision >= compactRevision && revision <= revisionOf(bases[1]);
  });
  t.true(held.length > 0);
  for (const i of held) await isState(t, i, location);
  const later = { kind: "revision", revision: stateAt(4).revision } as const;
  const error = await t.throwsAsync(restore(later, { location }), {
    instanceOf: BackupToolError,
    code: "REVISION_NOT_HELD",
  });
  t.regex(error?.message ?? "", /does not hold revision/);
});

test.serial("a bump lets etcd go on at a higher revision", async (t) => {
  const { revision, records } = stateAt(1);
  const { out, made } = await restore({ kind: "revision", revision }, { bumpRevision: 1_000_000 });
  t.is(made.revision, revision + 1_000_000);
  await judge.restoreFrom(out);
  t.is(await judge.revision(), revision + 1_000_000);
  t.is((await judge.pairs()).length, records.length);
});

test.serial("the data dir of a revision is one that etcd starts on", async (t) => {
  const folder = newFolder();
  const dir = join(folder, "member");
  // As a package has made it.
  mkdirSync(dir);
  const { revision, records } = stateAt(4);
  const { location, context } = recorded;
  const target = { kind: "revision", revision } as const;
  const database = { location, target, unknownLeaseTtlSeconds };
  const made = await makeEtcdDataDir({ ...database, dir, member: MEMBER }, context);
  t.deepEqual(made, { revision, complete: true });
  t.deepEqual(readdirSync(folder), ["member"]);
  const etcd = await EtcdServer.startOn(dir);
  t.teardown(() => etcd.stop());
  t.is((await etcd.pairs()).length, records.length);
  await t.throwsAsync(makeEtcdDataDir({ ...database, dir, member: MEMBER }, context), {
    instanceOf: UsageError,
  });
});

test.serial("a token that founded the former cluster makes no data dir", async (t) => {
  const folder = newFolder();
  const { location, context } = recorded;
  const target = { kind: "newest" } as const;
  const database = { location, target, unknownLeaseTtlSeconds };
  const make = (member: Partial<MemberOptions>) =>
    makeEtcdDataDir(
      { ...database, dir: join(folder, "member"), member: { ...MEMBER, ...member } },
      context,
    );
  const initialClusterToken = "etcd-cluster";
  const cluster = `other=http://10.0.0.1:2380,default=http://localhost:2380,former=${peerUrl}`;
  for (const member of [{ initialAdvertisePeerUrls: peerUrl }, { initialCluster: cluster }]) {
    await t.throwsAsync(make({ ...member, initialClusterToken }), {
      code: "USAGE",
      message: /was founded with the token "etcd-cluster"/,
    });
    t.deepEqual(readdirSync(folder), []);
  }
  t.like(await make({ initialCluster: cluster }), { complete: true });
});

test.serial(
  "nor does one after compact, which leaves no former members in the database",
  async (t) => {
    const { location } = copyOfStore();
    const { context } = recorded;
    const database = { location, target: { kind: "newest" } as const, unknownLeaseTtlSeconds };
    await compactHistory(compactOptions(location, unknownLeaseTtlSeconds), context);
    const dir = join(newFolder(), "member");
    const made = { ...MEMBER, initialAdvertisePeerUrls: peerUrl };
    const used = { ...made, initialClusterToken: "etcd-cluster" };
    await t.throwsAsync(makeEtcdDataDir({ ...database, dir, member: used }, context), {
      code: "USAGE",
      message: /was founded with the token "etcd-cluster"/,
    });
    t.false(existsSync(dir));
    t.like(await makeEtcdDataDir({ ...database, dir, member: made }, context), { complete: true });
  },
);

test.serial("an existing file is left as it is", async (t) => {
  const out = join(newFolder(), "mine");
  writeFileSync(out, "mine");
  const { location, context } = recorded;
  await t.throwsAsync(
    writeEtcdSnapshot(
      { location, target: { kind: "newest" }, out, unknownLeaseTtlSeconds },
      context,
    ),
    { instanceOf: UsageError },
  );
  t.is(readFileSync(out, "utf8"), "mine");
});

test.serial(
  "where the newest base is damaged, the one before it and more deltas serve",
  async (t) => {
    const { container, location } = copyOfStore();
    flipByte(join(container, bases[1], "ARCHIVE00000.bin"));
    const { chosen, warnings } = await isState(t, 5, location);
    t.is(chosen.base, bases[0]);
    t.is(warnings.length, 1);
    t.regex(warnings[0] ?? "", /left out/);
  },
);

test.serial(
  "a revision behind a missing delta is an error that says what can be restored",
  async (t) => {
    const { container, location } = copyOfStore();
    rmSync(join(container, recorded.deltas[4] ?? ""));
    const error = await t.throwsAsync(
      restore({ kind: "revision", revision: stateAt(5).revision }, { location }),
      { instanceOf: BackupToolError, code: "REVISION_NOT_HELD" },
    );
    t.regex(
      error instanceof BackupToolError ? (error.hint ?? "") : "",
      new RegExp(`to ${stateAt(3).revision}\\b`),
    );
    // With the delta before it lost, a later base still gives what follows.
    rmSync(join(container, recorded.deltas[2] ?? ""));
    await isState(t, 3, location);
  },
);

test.serial(
  "a moment in what is lost is the last known revision before, and not complete",
  async (t) => {
    const { container, location } = copyOfStore();
    rmSync(join(container, recorded.deltas[4] ?? ""));
    const timeMs = recorded.seenMs.get(stateAt(4).revision) ?? 0;
    const { made, complete, warnings } = await restore({ kind: "time", timeMs }, { location });
    t.deepEqual([made.revision, complete], [stateAt(3).revision, false]);
    t.is(warnings.length, 1);
  },
);

test.serial("the founder of such a moment is made, and the exit code says so", async (t) => {
  const { container, store } = copyOfStore();
  rmSync(join(container, recorded.deltas[4] ?? ""));
  const time = new Date(recorded.seenMs.get(stateAt(4).revision) ?? 0).toISOString();
  const dir = join(newFolder(), "member");
  const { code, stdout, stderr } = await backuptool([
    ...["etcd", "restore-founder", "--json", "--store", `file://${store.container}`],
    ...["--target-time", time, "--name", "m1", "--etcd-data-dir", dir],
    // Nobody answers there.
    ...["--initial-advertise-peer-urls", "http://127.0.0.1:1", "--etcd", "127.0.0.1:1"],
  ]);
  t.is(code, 3, `${stdout}${stderr}`);
  t.true(existsSync(join(dir, "member")));
});

test.serial("a damaged delta is an error, and nothing is left of the file", async (t) => {
  const { container, location } = copyOfStore();
  flipByte(join(container, recorded.deltas[5] ?? ""));
  const folder = newFolder();
  const out = join(folder, "etcd.db");
  const target = { kind: "revision", revision: stateAt(5).revision } as const;
  await t.throwsAsync(
    writeEtcdSnapshot({ location, target, out, unknownLeaseTtlSeconds }, recorded.context),
    { code: "DAMAGED" },
  );
  t.deepEqual(readdirSync(folder), []);
  await isState(t, 4, location);
});

test.serial(
  "a damaged delta at the end says nothing against raw snapshots, and the error what can be restored",
  async (t) => {
    const { container, location } = copyOfStore();
    flipByte(join(container, recorded.deltas[5] ?? ""));
    const before = recorded.events.length;
    const error = await t.throwsAsync(restore({ kind: "newest" }, { location }), {
      instanceOf: BackupToolError,
      code: "DAMAGED",
    });
    const hints = error instanceof BackupToolError ? error.advice.map(({ hint }) => hint) : [];
    t.regex(hints.join("; "), new RegExp(`to ${stateAt(4).revision}\\b`));
    const reported = recorded.events.slice(before);
    const reads = reported.filter(
      (one) => one.type === "progress" && one.phase === "read" && one.done === one.total,
    );
    t.is(reads.length, 1);
    t.false(reported.some((one) => one.type === "warning" && /raw snapshot/.test(one.message)));
  },
);

test.serial("a damaged raw snapshot makes no data dir, with its hash or without", async (t) => {
  const { container, location } = copyOfStore();
  for (const base of bases) flipByte(join(container, base, "ARCHIVE00000.bin"));
  const folder = newFolder();
  const target = { kind: "newest" } as const;
  for (const skipHashCheck of [false, true]) {
    const member = { ...MEMBER, skipHashCheck };
    const options = { location, target, unknownLeaseTtlSeconds, dir: join(folder, "dir"), member };
    await t.throwsAsync(makeEtcdDataDir(options, recorded.context), { code: "DAMAGED" });
  }
  t.deepEqual(readdirSync(folder), []);
});

test.serial("what one store lacks or has damaged is read from the other", async (t) => {
  const one = copyOfStore();
  const other = copyOfStore();
  rmSync(join(one.container, recorded.deltas[4] ?? ""));
  rmSync(join(other.container, recorded.deltas[5] ?? ""));
  flipByte(join(one.container, bases[1], "ARCHIVE00000.bin"));
  rmSync(join(other.container, bases[0]), { recursive: true });
  const location = { ...one.location, stores: [one.store, other.store] };
  const { chosen } = await isState(t, 5, location);
  t.is(chosen.base, bases[1]);
  t.true(existsSync(join(one.container, bases[0])));
});
