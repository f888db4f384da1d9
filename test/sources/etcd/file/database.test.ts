import { randomInt } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import test from "ava";
import { EtcdDatabase } from "../../../../src/sources/etcd/file/database.js";
import { EtcdFileError } from "../../../../src/sources/etcd/file/errors.js";
import { KeyValueFields } from "../../../../src/sources/etcd/file/key-value.js";
import type { RandomAccess } from "../../../../src/sources/etcd/file/random-access.js";
import { fileAccess } from "../../../../src/sources/etcd/file/random-access.js";
import { checkSnapshotDigest } from "../../../../src/sources/etcd/file/snapshot-digest.js";
import type { EtcdRecord } from "../../../../src/sources/etcd/types.js";
import { newFolder } from "../../../support/folders.js";
import { SeededChoice } from "../../../support/seeded-choice.js";
import { EtcdServer } from "../../../support/servers/etcd-server.js";
import { linesOf, RandomHistory } from "../../../support/servers/random-history.js";

const { signal } = new AbortController();

test("the database of a random history holds what etcd and its watch report", async (t) => {
  const seed = process.env["BACKUPTOOL_TEST_SEED"] ?? `${randomInt(2 ** 32)}`;
  t.log(`seed ${seed}`);
  const server = await EtcdServer.start();
  const history = new RandomHistory(server, new SeededChoice(seed));
  t.teardown(async () => {
    history.close();
    await server.stop();
  });
  for (let round = 0; round < 3; round++) {
    await history.run(120);
    const { revision, compactRevision } = await history.observe();
    const path = join(newFolder(), "snapshot.db");
    await server.ctl("snapshot", "save", path);
    const handle = await open(path);
    t.teardown(() => handle.close());
    const file = await fileAccess(handle);

    t.is((await checkSnapshotDigest(file, path, signal)).bytes, statSync(path).size);
    const database = await EtcdDatabase.open(file, path);
    const facts = await database.facts(signal);
    // A lease may have expired since.
    t.true(facts.revision >= revision);
    t.is(facts.compactRevision, compactRevision);
    t.is(facts.pageSize, 4096);
    t.is(facts.bytes, file.size);

    const log = new Map(
      (await history.revisions(1, facts.revision)).map(({ revision, changes }) => [
        revision,
        changes,
      ]),
    );
    const live = new Map<string, EtcdRecord>();
    const seen = new Set<string>();
    const fields = new KeyValueFields();
    for await (const batch of database.entries(signal)) {
      for (const { main, sub, deleted, value } of batch) {
        seen.add(`${main}.${sub}`);
        const change = log.get(main)?.[sub];
        t.is(change?.deleted, deleted);
        t.true(fields.read(value));
        const key = fields.key.toString("hex");
        if (deleted) {
          if (main <= revision) live.delete(key);
          t.true(
            change !== undefined && Buffer.from(change.kv).subarray(0, value.length).equals(value),
          );
        } else {
          if (main <= revision) live.set(key, fields.record);
          t.true(change !== undefined && Buffer.from(change.kv).equals(value));
        }
      }
    }
    for (const [main, changes] of log) {
      if (main <= compactRevision) continue;
      for (const sub of changes.keys()) t.true(seen.has(`${main}.${sub}`));
    }
    t.deepEqual(linesOf([...live.values()]), linesOf(history.states.at(-1)?.records ?? []));

    const from = Math.floor((compactRevision + facts.revision) / 2);
    const later: string[] = [];
    for await (const batch of database.entries(signal, { from })) {
      for (const { main, sub } of batch) later.push(`${main}.${sub}`);
    }
    t.deepEqual(
      later,
      [...seen].filter((position) => Number.parseInt(position, 10) >= from),
    );

    for await (const batch of database.leases(signal)) {
      for (const { id, grantedTtl } of batch) t.is(history.granted.get(id), grantedTtl);
    }
  }
});

test("a snapshot whose end is missing or whose bytes changed fails its digest", async (t) => {
  const server = await EtcdServer.start();
  t.teardown(() => server.stop());
  await server.put(Buffer.from("a"), Buffer.from("b"));
  const path = join(newFolder(), "snapshot.db");
  await server.ctl("snapshot", "save", path);
  const whole = readFileSync(path);
  const check = async (bytes: Buffer): Promise<void> => {
    await checkSnapshotDigest(inMemory(bytes), "x", signal);
  };
  await t.notThrowsAsync(check(whole));
  const codes = { instanceOf: EtcdFileError, code: "ETCD_FILE_DIGEST" };
  await t.throwsAsync(check(whole.subarray(0, -1)), codes);
  await t.throwsAsync(check(whole.subarray(0, -32)), codes);
  await t.throwsAsync(check(whole.subarray(0, -512)), codes);
  await t.throwsAsync(check(Buffer.alloc(32)), codes);
  await t.throwsAsync(check(Buffer.alloc(0)), codes);
  for (const at of [0, whole.length >> 1, whole.length - 40, whole.length - 1]) {
    const changed = Buffer.from(whole);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await t.throwsAsync(check(changed), codes);
  }
});

function inMemory(bytes: Buffer): RandomAccess {
  return {
    size: bytes.length,
    read: async (target, position) => bytes.copy(target, 0, position, position + target.length),
  };
}
