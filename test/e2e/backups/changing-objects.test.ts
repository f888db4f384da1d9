import { randomBytes } from "node:crypto";
import { join } from "node:path";
import test from "ava";
import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { object, type SampleObject, writeSample } from "../../support/archive/sample.js";
import { backuptool, cephFlags, env, PASSPHRASE } from "../../support/program/backuptool.js";
import {
  dropPools,
  dumpPool,
  keepChanging,
  makePools,
  remakePoolNow,
  writeObjects,
} from "../../support/ceph/client.js";
import { createHere } from "../../support/program/create-here.js";
import { disturbed } from "../../support/program/disturbed.js";
import { newFolder } from "../../support/folders.js";

const TARGET = ["--skip-etcd", ...cephFlags()];

let pools: string[] = [];
test.before(async () => {
  pools = await makePools(5);
});
test.after.always(() => dropPools(pools));

const pairs = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => {
    const number = `${from + i}`.padStart(6, "0");
    return [Buffer.from(`key ${number}`), Buffer.from(`value ${number}`)] as const;
  });

/** What the earlier attempts found, beside the last state of the object. */
const TORN: SampleObject[] = [
  object("was large and is small", "small", { attempts: [{ data: randomBytes(5 << 20) }] }),
  object("was of several chunks", randomBytes(100), {
    attempts: [{ data: randomBytes(20 << 20) }],
  }),
  object("grew twice", randomBytes(3 << 20), {
    attempts: [{ data: Buffer.from("first") }, { data: randomBytes(17 << 20) }],
  }),
  object("long omap", "data", {
    xattrs: [[Buffer.from("name"), Buffer.from("value")]],
    omapHeader: Buffer.from("header"),
    omap: pairs(0, 1000),
    omapPages: [pairs(1000, 2000), pairs(2000, 3000)],
    attempts: [{ omapPages: [pairs(1000, 2000)] }, { omapPages: [] }],
  }),
  object("had an omap", "data", {
    attempts: [
      { omap: pairs(0, 10), omapPages: [pairs(10, 20)], data: Buffer.from("other") },
      { omap: pairs(0, 10), omapPages: [pairs(10, 20)] },
    ],
  }),
];

test.serial(
  "objects that change while they are read are restored in their last state",
  async (t) => {
    const [torn = "", calm = ""] = pools;
    for (const [pool, objects] of [
      [torn, TORN],
      [calm, TORN.map((one) => ({ ...one, attempts: [] }))],
    ] as const) {
      const folder = join(newFolder(), "backup");
      const passphrase = new PassphraseKeys(Buffer.from(PASSPHRASE));
      await writeSample(folder, { objects, etcd: false }, { passphrase });
      const inspected = await backuptool(["inspect", "--outputdir", folder]);
      t.is(inspected.code, 0, inspected.stderr);
      const mapping = ["--restore-pool", `pool:${pool}`];
      const restored = await backuptool(["restore", "--outputdir", folder, ...TARGET, ...mapping]);
      t.is(restored.code, 0, restored.stderr);
      t.regex(restored.stdout.toString(), /restored 5 ceph objects/);
    }
    const found = await dumpPool(torn);
    t.is(found.length, TORN.length);
    t.deepEqual(found, await dumpPool(calm));
  },
);

test.serial(
  "an object that changes all the time is an error, and left out with --keep-going",
  async (t) => {
    const [from = "", to = ""] = pools.slice(2);
    const still = [{ name: "still", data: "as it is" }];
    // Mostly a hole: it takes many reads, and little space.
    const restless = { name: "restless", data: "end", offset: 120 << 20 };
    await writeObjects(from, [restless, ...still]);
    const stops = [1, 2].map(() => keepChanging(from, restless.name));
    const stop = () => Promise.all(stops.map((end) => end()));
    t.teardown(stop);
    let folder = "";
    const create = (...more: string[]) =>
      disturbed(() => {
        folder = join(newFolder(), "backup");
        const args = ["create", "--outputdir", folder, ...TARGET, "--include-pool", from];
        return backuptool([...args, ...more]);
      });
    const failed = await create();
    t.is(failed.code, 1);
    t.regex(failed.stderr, /"restless" in pool ".*" changed each of 10 times/);
    t.regex(failed.stderr, /--keep-going/);

    const made = await create("--keep-going");
    t.is(made.code, 3, made.stderr);
    t.regex(made.stderr, /restless.*changed each of 10 times/);
    await stop();
    const inspected = await backuptool(["inspect", "--outputdir", folder]);
    t.is(inspected.code, 0, inspected.stderr);
    const mapping = ["--restore-pool", `${from}:${to}`];
    const restored = await backuptool(["restore", "--outputdir", folder, ...TARGET, ...mapping]);
    t.is(restored.code, 0, restored.stderr);
    const names = (await dumpPool(to)).map((line) => Buffer.from(JSON.parse(line).name, "hex"));
    t.deepEqual(names.map(String), ["still"]);
  },
);

test.serial("a pool that is removed and created again while it is read is an error", async (t) => {
  const [, , , , pool = ""] = pools;
  await writeObjects(
    pool,
    Array.from({ length: 3000 }, (_, i) => ({ name: `object ${i}`, size: 10 })),
  );
  let done = 0;
  const creating = createHere(
    {
      outputDir: join(newFolder(), "backup"),
      ceph: { conf: env("CEPH_CONF"), keyring: env("CEPH_KEYRING_ADMIN") },
      includePools: [pool],
    },
    (event) => {
      // All names are listed by then, and most objects are still to be read.
      if (event.type === "progress" && done++ === 0) remakePoolNow(pool);
    },
  );
  const error = await t.throwsAsync(creating, { code: "CEPH_POOL_NOT_FOUND" });
  t.regex(error?.message ?? "", /removed and created again/);
});
