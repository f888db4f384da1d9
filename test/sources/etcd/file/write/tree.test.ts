import { randomInt } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { EtcdDatabase } from "../../../../../src/sources/etcd/file/database.js";
import { writeDatabase } from "../../../../../src/sources/etcd/file/write/write-database.js";
import type { WriteOptions } from "../../../../../src/sources/etcd/file/write/write-options.js";
import type { EtcdRevision } from "../../../../../src/sources/etcd/history.js";
import { checkTrees } from "../../../../support/etcd-files/check-tree.js";
import { inMemory } from "../../../../support/etcd-files/read-everything.js";
import { emptyDatabase, putsOf } from "../../../../support/etcd-files/synthetic-database.js";
import { newFolder } from "../../../../support/folders.js";
import { SeededChoice } from "../../../../support/seeded-choice.js";
import { EtcdServer } from "../../../../support/servers/etcd-server.js";
import { hashAt } from "../../../../support/servers/random-history.js";

const { signal } = new AbortController();

test("trees of any depth that were cut and continued keep bbolt's rules", async (t) => {
  const seed = process.env["BACKUPTOOL_TEST_SEED"] ?? `${randomInt(2 ** 32)}`;
  t.log(`seed ${seed}`);
  const choice = new SeededChoice(seed);
  const depths = new Map<number, number>();
  for (let round = 0; round < Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 40); round++) {
    // With small pages a few thousand entries make deep trees.
    const pageSize = choice.of([1024, 1024, 1024, 4096, 65536]);
    const large = choice.of([0, 0, 3000]);
    const count = choice.of([choice.below(40), choice.below(400), choice.below(9000)]);
    const sizes = Array.from({ length: count }, () =>
      choice.below(50) === 0 ? choice.below(large + 1) : choice.below(500),
    );
    const log = putsOf(sizes);
    const cuts = [choice.below(count + 1), choice.below(count + 1), choice.below(count + 1)];
    const [a = 0, b = 0, c = 0] = cuts.map((cut) => cut + 1);
    let file = await write(emptyDatabase(pageSize), log, { revision: a });
    const check = (revision: number): void => {
      const { keys, depth } = checkTrees(file);
      t.deepEqual(keys, log.slice(0, revision - 1).map(keyOf));
      depths.set(depth, (depths.get(depth) ?? 0) + 1);
    };
    check(a);
    for (const revision of [b, c]) {
      file = await write(file, log, {
        revision,
        method: choice.of(["patch", "repack", undefined]),
      });
      check(revision);
    }
  }
  t.true((depths.get(3) ?? 0) > 0, `depths: ${[...depths]}`);
});

test("etcd answers the same on pages of any size", async (t) => {
  const server = await EtcdServer.start();
  t.teardown(() => server.stop());
  const log = putsOf(Array.from({ length: 3000 }, (_, i) => (i % 500 === 0 ? 100_000 : i % 300)));
  const hashes: number[] = [];
  for (const pageSize of [4096, 16384, 65536]) {
    const out = join(newFolder(), "out.db");
    const base = await EtcdDatabase.open(inMemory(emptyDatabase(pageSize)), "empty");
    const options = { revision: 3001, unknownLeaseTtlSeconds: 60, signal };
    await writeDatabase(base, each(log), out, options);
    await server.restoreFrom(out);
    hashes.push((await hashAt(server, 3001)).hash);
    await server.put(Buffer.from("next"), Buffer.from("1"));
    await server.ctl("del", "key", "--prefix");
    await server.ctl("compact", `${await server.revision()}`, "--physical");
    t.is(await server.ctl("get", "", "--prefix", "--keys-only"), "next\n\n");
  }
  t.is(new Set(hashes).size, 1);
});

test("bbolt changes what is left of a tree that was cut anywhere", async (t) => {
  const server = await EtcdServer.start();
  t.teardown(() => server.stop());
  const seed = process.env["BACKUPTOOL_TEST_SEED"] ?? `${randomInt(2 ** 32)}`;
  t.log(`seed ${seed}`);
  const choice = new SeededChoice(seed);
  const log = putsOf(Array.from({ length: 20_000 }, () => choice.below(300)));
  const whole = await write(emptyDatabase(4096), log, { revision: 20_001 });
  for (let round = 0; round < 3; round++) {
    const revision = 2 + choice.below(20_000);
    const out = join(newFolder(), "out.db");
    const base = await EtcdDatabase.open(inMemory(whole), "whole");
    const options = { revision, method: "truncate", unknownLeaseTtlSeconds: 60, signal } as const;
    await writeDatabase(base, each([]), out, options);
    await server.restoreFrom(out);
    // Deletes entries from all over the tree, so that pages are merged.
    await server.ctl("del", "key", "--prefix");
    await server.ctl("compact", `${await server.revision()}`, "--physical");
    await server.put(Buffer.from("next"), Buffer.from("1"));
    await server.ctl("defrag");
    t.is(await server.ctl("get", "", "--prefix", "--keys-only"), "next\n\n");
    rmSync(out);
  }
});

async function write(
  base: Buffer,
  log: readonly EtcdRevision[],
  options: Pick<WriteOptions, "revision" | "method">,
): Promise<Buffer> {
  const out = join(newFolder(), "out.db");
  const database = await EtcdDatabase.open(inMemory(base), "base");
  await writeDatabase(database, each(log), out, { unknownLeaseTtlSeconds: 60, signal, ...options });
  const file = readFileSync(out);
  rmSync(out);
  return file;
}

function keyOf({ revision }: EtcdRevision): string {
  return `${revision.toString(16).padStart(16, "0")}5f${"0".repeat(16)}`;
}

async function* each(log: readonly EtcdRevision[]): AsyncGenerator<readonly EtcdRevision[]> {
  yield log;
}
