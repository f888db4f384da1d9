import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { EtcdDatabase } from "../../../../src/sources/etcd/file/database.js";
import { damage } from "../../../support/etcd-files/damage.js";
import { inMemory, readEverything } from "../../../support/etcd-files/read-everything.js";
import { newFolder } from "../../../support/folders.js";
import { SeededChoice } from "../../../support/seeded-choice.js";
import { EtcdServer } from "../../../support/servers/etcd-server.js";
import { RandomHistory } from "../../../support/servers/random-history.js";

const ROUNDS = Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 150);

let whole: Buffer;

test.before("make a database", async () => {
  const server = await EtcdServer.start();
  const history = new RandomHistory(server, new SeededChoice("damage"), { mostLarge: 0 });
  try {
    await history.run(200);
    const path = join(newFolder(), "snapshot.db");
    await server.ctl("snapshot", "save", path);
    whole = readFileSync(path);
  } finally {
    history.close();
    await server.stop();
  }
});

test("a damaged database is an error that says so, or is read in bounded time", async (t) => {
  const seed = process.env["BACKUPTOOL_TEST_SEED"] ?? `${randomInt(2 ** 32)}`;
  t.log(`seed ${seed}, ${whole.length} bytes`);
  const out = join(newFolder(), "out.db");
  t.is(await readEverything(whole, out), 0);
  let rejected = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bytes = Buffer.from(whole);
    const how = damage(bytes, new SeededChoice(`${seed} ${round}`));
    try {
      rejected += (await readEverything(bytes, out)) > 0 ? 1 : 0;
    } catch (error) {
      t.fail(`round ${round} (${how}): ${error instanceof Error ? error.stack : error}`);
    }
  }
  t.true(rejected > ROUNDS / 2);
});

test("a truncated database, or other bytes, are an error", async (t) => {
  const open = (bytes: Buffer) => EtcdDatabase.open(inMemory(bytes), "file");
  await t.notThrowsAsync(open(whole));
  // Without its SHA-256 it is a member's own file.
  await t.notThrowsAsync(open(whole.subarray(0, -32)));
  await t.throwsAsync(open(whole.subarray(0, -512)), { code: "ETCD_FILE_TRUNCATED" });
  await t.throwsAsync(open(whole.subarray(0, 8192)), { code: "ETCD_FILE_TRUNCATED" });
  for (const bytes of [Buffer.alloc(0), Buffer.alloc(100, 1), Buffer.alloc(1 << 20)]) {
    await t.throwsAsync(open(bytes), { code: "ETCD_FILE_NOT_A_DATABASE" });
  }
});
