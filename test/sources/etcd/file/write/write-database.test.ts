import { randomInt } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { appendFile, copyFile, open } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { EtcdDatabase } from "../../../../../src/sources/etcd/file/database.js";
import { EtcdFileError } from "../../../../../src/sources/etcd/file/errors.js";
import { fileAccess } from "../../../../../src/sources/etcd/file/random-access.js";
import {
  writeDatabase,
  writeDatabaseInto,
} from "../../../../../src/sources/etcd/file/write/write-database.js";
import type {
  WriteMethod,
  WriteOptions,
  WrittenDatabase,
} from "../../../../../src/sources/etcd/file/write/write-options.js";
import type { EtcdRevision } from "../../../../../src/sources/etcd/history.js";
import { newFolder } from "../../../../support/folders.js";
import { SeededChoice } from "../../../../support/seeded-choice.js";
import { EtcdServer } from "../../../../support/servers/etcd-server.js";
import { judgeDatabase, openDatabase } from "../../../../support/servers/judged-database.js";
import { linesOf, RandomHistory, recordsOf } from "../../../../support/servers/random-history.js";
import { WatchRecorder } from "../../../../support/servers/watch-recorder.js";

const { signal } = new AbortController();
const TTL = { unknownLeaseTtlSeconds: 7200 };

test("the database of any revision answers as the live etcd did", async (t) => {
  const seed = process.env["BACKUPTOOL_TEST_SEED"] ?? `${randomInt(2 ** 32)}`;
  t.log(`seed ${seed}`);
  const choice = new SeededChoice(seed);
  const [live, judge] = await servers(t);
  const history = new RandomHistory(live, choice);
  t.teardown(() => history.close());
  const bases: string[] = [];
  for (let round = 0; round < 4; round++) {
    await history.run(60);
    await history.observe();
    await history.run(20);
    const path = join(newFolder(), "base.db");
    await live.ctl("snapshot", "save", path);
    bases.push(path);
  }
  const methods = new Map<WriteMethod, number>();
  for (const state of history.states) {
    for (const path of bases) {
      const base = await openDatabase(t, path);
      const { revision, compactRevision } = await base.facts(signal);
      if (compactRevision > state.revision || choice.below(3) === 0) continue;
      const isLater = revision > state.revision;
      const method = choice.of<WriteMethod | undefined>([
        undefined,
        "repack",
        isLater ? "truncate" : "patch",
      ]);
      const out = join(newFolder(), "out.db");
      const log = isLater ? [] : await history.revisions(revision, state.revision);
      const options = {
        revision: state.revision,
        compactRevision: state.compactRevision,
        fixedLeases: history.granted,
        method,
        ...TTL,
        signal,
      };
      const inPlace = method !== undefined && method !== "repack";
      const written = inPlace
        ? await continueCopy(path, batches(log, choice), out, options)
        : await writeDatabase(base, batches(log, choice), out, options);
      t.log(`${written.method} of ${revision} to ${state.revision}${inPlace ? ", in place" : ""}`);
      methods.set(written.method, (methods.get(written.method) ?? 0) + 1);
      await judgeDatabase(t, judge, out, state, written);
    }
  }
});

/** Makes a database out of a copy of its base, which has something after its last page. */
async function continueCopy(
  path: string,
  log: AsyncIterable<readonly EtcdRevision[]>,
  out: string,
  options: WriteOptions,
): Promise<WrittenDatabase> {
  await copyFile(path, out);
  await appendFile(out, Buffer.alloc(1 << 20, 1));
  const handle = await open(out, "r+");
  try {
    const base = await EtcdDatabase.open(await fileAccess(handle), out);
    return await writeDatabaseInto(base, log, { handle, where: out }, { ...options, isBase: true });
  } finally {
    await handle.close();
  }
}

async function servers(t: ExecutionContext): Promise<[live: EtcdServer, judge: EtcdServer]> {
  const both = await Promise.all([EtcdServer.start(), EtcdServer.start()] as const);
  t.teardown(() => Promise.all(both.map((server) => server.stop())));
  return both;
}

async function* batches(
  log: readonly EtcdRevision[],
  choice: SeededChoice,
): AsyncGenerator<readonly EtcdRevision[]> {
  for (let at = 0; at < log.length; ) {
    const count = 1 + choice.below(20);
    yield log.slice(at, at + count);
    at += count;
  }
}

test("a key whose lease nothing names gets the TTL of the caller, and no other lease is added", async (t) => {
  const [live, judge] = await servers(t);
  const history = new RandomHistory(live, new SeededChoice("leases"));
  t.teardown(() => history.close());
  const path = await snapshotOf(live);
  const [expired, dropped, known, kept] = [
    await live.grant(600),
    await live.grant(700),
    await live.grant(800),
    await live.grant(900),
  ];
  await live.ctl("put", "expired", "1", `--lease=${expired}`);
  await live.ctl("put", "dropped", "1", `--lease=${dropped}`);
  await live.ctl("put", "known", "1", `--lease=${known}`);
  await live.ctl("put", "kept", "1", `--lease=${kept}`);
  await live.ctl("put", "dropped", "2");
  history.granted.set(BigInt(`0x${kept}`), 900);
  const revision = await live.revision();
  const state = await history.observe();
  await live.ctl("lease", "revoke", expired);
  await live.ctl("lease", "revoke", dropped);
  await live.ctl("lease", "revoke", known);
  const later = await snapshotOf(live);
  const fixedLeases = new Map([[BigInt(`0x${known}`), 800]]);
  const expected = [
    { ttl: 800, keys: ["known"] },
    { ttl: 900, keys: ["kept"] },
    { ttl: 7200, keys: ["expired"] },
  ];
  for (const [base, log] of [
    [path, await history.revisions(1, revision)],
    [later, []],
  ] as const) {
    const out = join(newFolder(), "out.db");
    const written = await writeDatabase(await openDatabase(t, base), each(log), out, {
      revision,
      fixedLeases,
      ...TTL,
      signal,
    });
    t.is(written.unknownLeases, 1);
    await judgeDatabase(t, judge, out, state, written);
    t.deepEqual(await judge.leases(), expected);
    await judge.ctl("put", "expired", "2", "--ignore-lease");
  }
});

test("a lease goes on where it was, and its keys expire", async (t) => {
  const [live, judge] = await servers(t);
  const history = new RandomHistory(live, new SeededChoice("expiry"));
  t.teardown(() => history.close());
  const path = await snapshotOf(live);
  const lease = await live.grant(5);
  history.granted.set(BigInt(`0x${lease}`), 5);
  await live.ctl("put", "a", "1", `--lease=${lease}`);
  await live.ctl("put", "b", "1");
  const state = await history.observe();
  const out = join(newFolder(), "out.db");
  const log = await history.revisions(1, state.revision);
  const options = { revision: state.revision, ...TTL, signal };
  const written = await writeDatabase(await openDatabase(t, path), each(log), out, options);
  await judgeDatabase(t, judge, out, state, written);
  while ((await judge.pairs()).length > 1) await sleep(200);
  t.is(await judge.ctl("get", "", "--prefix", "--keys-only"), "b\n\n");
});

test("with a bump etcd goes on higher, cancels old watches, and has no key more", async (t) => {
  const [live, judge] = await servers(t);
  const history = new RandomHistory(live, new SeededChoice("bump"));
  t.teardown(() => history.close());
  await history.run(50);
  const { revision, records } = await history.observe();
  const path = await snapshotOf(live);
  const out = join(newFolder(), "out.db");
  const options = { revision, bump: 1_000_000, ...TTL, signal };
  const written = await writeDatabase(await openDatabase(t, path), each([]), out, options);
  t.is(written.revision, revision + 1_000_000);
  const facts = await (await openDatabase(t, out)).facts(signal);
  t.is(facts.revision, written.revision);
  t.is(facts.compactRevision, written.compactRevision);
  await judge.restoreFrom(out);
  t.is(await judge.revision(), written.revision);
  const watch = new WatchRecorder(judge.endpoint, revision + 1);
  t.teardown(() => watch.close());
  await t.throwsAsync(watch.reach(revision + 1), { message: "watch was canceled" });
  t.deepEqual(linesOf((await recordsOf(judge)).records), linesOf(records));
  await judge.put(Buffer.from("next"), Buffer.from("1"));
  t.is(await judge.revision(), written.revision + 1);
});

test("a compaction that was begun in the base is finished in what is written", async (t) => {
  const [live, judge] = await servers(t);
  for (const key of ["a", "b", "c"]) await live.ctl("put", key, "1");
  await live.ctl("del", "c");
  const base = await openDatabase(t, await snapshotOf(live));
  const [bumped, out] = [join(newFolder(), "bumped.db"), join(newFolder(), "out.db")];
  // The compaction of a bump is scheduled, and its revision is that of a deletion.
  await writeDatabase(base, each([]), bumped, { revision: 5, bump: 95, ...TTL, signal });
  const begun = await openDatabase(t, bumped);
  t.deepEqual(await begun.compactions(), { finished: 0, scheduled: 100 });
  await writeDatabase(begun, each([]), out, { revision: 100, ...TTL, signal });
  t.deepEqual(await (await openDatabase(t, out)).compactions(), { finished: 100, scheduled: 100 });
  await judge.restoreFrom(out);
  t.is(await judge.revision(), 100);
  t.is(await judge.ctl("get", "", "--prefix", "--keys-only"), "a\n\nb\n\n");
  await t.throwsAsync(judge.ctl("get", "a", "--rev", "99"), { message: /compacted/ });
});

test("a file that exists stays as it is", async (t) => {
  const live = await EtcdServer.start();
  t.teardown(() => live.stop());
  const path = await snapshotOf(live);
  const before = readFileSync(path);
  const base = await openDatabase(t, path);
  const write = (out: string) =>
    writeDatabase(base, each([]), out, { revision: 1, ...TTL, signal });
  await t.throwsAsync(write(path), { code: "ETCD_FILE_IO" });
  t.true(readFileSync(path).equals(before));
  await t.throwsAsync(write(join(newFolder(), "no folder", "out.db")), { code: "ETCD_FILE_IO" });
});

test("a key that is named like an old member's id stays", async (t) => {
  const [live, judge] = await servers(t);
  const history = new RandomHistory(live, new SeededChoice("members"));
  t.teardown(() => history.close());
  const [id = ""] = (await live.ctl("member", "list")).split(",");
  await live.ctl("put", id, "1");
  const state = await history.observe();
  for (const method of ["patch", "repack"] as const) {
    const out = join(newFolder(), "out.db");
    const base = await openDatabase(t, await snapshotOf(live));
    const options = { revision: state.revision, method, ...TTL, signal };
    const written = await writeDatabase(base, each([]), out, options);
    await judgeDatabase(t, judge, out, state, written);
  }
});

test("users and roles are those of the base", async (t) => {
  const [live, judge] = await servers(t);
  for (let i = 0; i < 30; i++) await live.ctl("role", "add", `${"long".repeat(50)}${i}`);
  await live.ctlWith("", "user", "add", "root:secret");
  await live.ctlWith("", "user", "add", "alice:secret");
  await live.ctl("put", "a", "1");
  await live.ctl("put", "b", "1");
  for (const method of ["patch", "repack", "truncate"] as const) {
    const base = await openDatabase(t, await snapshotOf(live));
    t.true((await base.facts(signal)).hasUsers);
    const out = join(newFolder(), "out.db");
    const revision = (await live.revision()) - (method === "truncate" ? 1 : 0);
    await writeDatabase(base, each([]), out, { revision, method, ...TTL, signal });
    await judge.restoreFrom(out);
    t.is(await judge.ctl("user", "list"), "alice\nroot\n");
    t.is(await judge.ctl("role", "list"), await live.ctl("role", "list"));
    t.is(await judge.revision(), revision);
  }
});

test("a log with a hole, of another database, or that ends early makes no file", async (t) => {
  const live = await EtcdServer.start();
  t.teardown(() => live.stop());
  const history = new RandomHistory(live, new SeededChoice("log"));
  t.teardown(() => history.close());
  for (const key of ["a", "b"]) await live.ctl("put", key, "1");
  const base = await openDatabase(t, await snapshotOf(live));
  for (const key of ["c", "d", "e", "f"]) await live.ctl("put", key, "1");
  await live.ctl("compact", "3");
  const compacted = await openDatabase(t, await snapshotOf(live));
  const log = await history.revisions(1, 7);
  const changed = log.map((revision) => ({ ...revision, changes: log[1]?.changes ?? [] }));
  const write = async (
    code: string,
    from: EtcdDatabase,
    revisions: readonly EtcdRevision[],
    more: Partial<WriteOptions> = {},
  ): Promise<void> => {
    const out = join(newFolder(), "out.db");
    const options = { revision: 7, ...TTL, signal, ...more };
    await t.throwsAsync(writeDatabase(from, each(revisions), out, options), {
      instanceOf: EtcdFileError,
      code,
    });
    t.false(existsSync(out));
  };
  await write("ETCD_FILE_LOG", base, log.toSpliced(3, 1));
  await write("ETCD_FILE_LOG", base, log.slice(4));
  await write("ETCD_FILE_LOG", base, changed);
  await write(
    "ETCD_FILE_LOG",
    base,
    log.map((revision) => ({ ...revision, changes: [] })),
  );
  await write("ETCD_FILE_REVISION", base, log.slice(0, -1));
  await write("ETCD_FILE_REVISION", compacted, [], { revision: 2 });
  await write("ETCD_FILE_REVISION", base, log, { compactRevision: 8 });
  await write("ETCD_FILE_REVISION", base, log, { bump: Number.MAX_SAFE_INTEGER });
  const aborted = AbortSignal.abort();
  const out = join(newFolder(), "out.db");
  const options = { revision: 7, ...TTL, signal: aborted };
  await t.throwsAsync(writeDatabase(base, each(log), out, options), { code: "INTERRUPTED" });
  t.false(existsSync(out));
});

async function snapshotOf(server: EtcdServer): Promise<string> {
  const path = join(newFolder(), "snapshot.db");
  await server.ctl("snapshot", "save", path);
  return path;
}

async function* each(log: readonly EtcdRevision[]): AsyncGenerator<readonly EtcdRevision[]> {
  yield log;
}
