import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { createInBoth } from "../../support/program/create-in-both.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { judgeStore, openUploads } from "../../support/stores/judge-store.js";
import { newBucket } from "../../support/stores/s3-buckets.js";
import { SeededChoice } from "../../support/seeded-choice.js";
import { bothStores, bucketStore } from "../../support/stores/flags.js";

/** `npm run faults` sets more. */
const ROUNDS = Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 3);
const SEED = Number(process.env["BACKUPTOOL_TEST_SEED"] ?? 20_261_121);

test("a killed create into two stores leaves nothing that looks complete, and the next create succeeds", async (t) => {
  t.timeout(3_600_000);
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (let i = 0; i < 16; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
  const bucket = await newBucket();
  const primary = bucketStore(bucket, { prefix: "primary" });
  const secondary = bucketStore(bucket, { prefix: "secondary" });
  const { flags, env } = bothStores(primary, secondary);
  const args = ["create", "--skip-ceph", "--etcd", etcd.endpoint, "--archive-size", "7MiB"];
  const create = [...args, ...flags];
  const choice = new SeededChoice(`stores ${SEED}`);
  let killed = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // Before or after the first file is started.
    const ms = choice.below(800);
    const from = choice.below(4) === 0 ? /done/ : /creating new file/;
    const { signal } = await backuptool(create, {
      env,
      onStart: (child) => {
        let begun = false;
        child.stdout?.on("data", (text: Buffer) => {
          if (begun || !from.test(text.toString())) return;
          begun = true;
          setTimeout(() => child.kill("SIGKILL"), ms);
        });
      },
    });
    if (signal === "SIGKILL") killed++;
    const [first, second] = [await judgeStore(primary.open()), await judgeStore(secondary.open())];
    t.deepEqual([first.lies, second.lies], [[], []], `round ${round}, after ${ms} ms`);
    for (const name of second.whole) t.true(first.whole.includes(name), name);
  }
  t.true(killed > 0);
  await createInBoth(t, args, { flags, env });
  const copied = await backuptool(["copy", ...flags], { env });
  t.is(copied.code, 0, copied.stderr);
  // Times of servers have a resolution of a second.
  await sleep(1100);
  for (const role of ["primary", "secondary"]) {
    const prune = [
      "snapshot",
      "prune-incomplete",
      "--from",
      role,
      "--grace-period",
      "0s",
      ...flags,
    ];
    const { code, stderr } = await backuptool(prune, { env });
    t.is(code, 0, stderr);
  }
  t.deepEqual(await openUploads(bucket), []);
  const whole = await judgeStore(primary.open());
  t.deepEqual([whole.unfinished, whole.lies], [[], []]);
  t.true(whole.whole.length > 0);
  t.deepEqual(await judgeStore(secondary.open()), whole);
});
