import { randomBytes } from "node:crypto";
import test from "ava";
import { AbsStore } from "../../../src/snapstore/abs/store.js";
import { Azurite } from "../../support/stores/azurite.js";
import { backuptool, createOfEtcd } from "../../support/program/backuptool.js";
import { createInBoth } from "../../support/program/create-in-both.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { judgeStore } from "../../support/stores/judge-store.js";
import { newBucket } from "../../support/stores/s3-buckets.js";
import { bucketStore, folderStore } from "../../support/stores/flags.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
  for (let i = 0; i < 12; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
});

test.after.always(() => etcd?.stop());

const create = () => createOfEtcd(etcd, "--archive-size", "6MiB");

test("with azurite as the secondary, create fills it, and copy completes it", async (t) => {
  const azurite = await Azurite.start();
  t.teardown(() => azurite.stop());
  const { account, key, endpoint } = azurite;
  const open = (container: string) =>
    new AbsStore({
      provider: "ABS",
      container,
      prefix: "p",
      endpoint,
      account,
      credentials: { kind: "shared-key", account, key },
    });
  const primary = folderStore(newFolder());
  const env = { SECONDARY_AZURE_STORAGE_ACCOUNT: account, SECONDARY_AZURE_STORAGE_KEY: key };
  const flags = (container: string) => [
    ...primary.flags(),
    "--secondary-store",
    `azblob://${container}/p`,
    "--secondary-store-endpoint-override",
    endpoint,
  ];
  await azurite.newContainer("second");
  await createInBoth(t, create(), { flags: flags("second"), env });
  const there = await judgeStore(primary.open());
  t.is(there.whole.length, 1);
  t.deepEqual(await judgeStore(await open("second")), there);

  const behind = await backuptool([...create(), ...flags("late")], { env });
  t.is(behind.code, 3, behind.stderr);
  t.regex(behind.stderr, /^warning: the secondary store is left behind: azblob:.*late/m);
  await azurite.newContainer("late");
  const copied = await backuptool(["copy", ...flags("late")], { env });
  t.is(copied.code, 0, copied.stderr);
  const all = await judgeStore(primary.open());
  t.is(all.whole.length, 2);
  t.deepEqual(await judgeStore(await open("late")), all);
});

test("creates into one place in the same second get separate names or fail, and overwrite nothing", async (t) => {
  const bucket = await newBucket();
  const store = bucketStore(bucket);
  const runs = await Promise.all(
    [1, 2, 3].map(() => backuptool([...create(), ...store.flags()], { env: store.env() })),
  );
  const { whole, lies } = await judgeStore(store.open());
  t.deepEqual(lies, []);
  const done = runs.flatMap(({ code, stdout, stderr }) => {
    if (code === 0) return [/SNAPSHOT DONE; (\S+):/.exec(stdout.toString())?.[1]];
    t.is(code, 1, stderr);
    t.regex(stderr, /exists already|after it was sent/);
    return [];
  });
  t.true(done.length >= 1);
  t.deepEqual(done.sort(), whole);
});
