import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import test, { type ExecutionContext } from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { doctor, failed } from "../../support/program/doctor.js";
import { type Asked, FaultyProxy, type Plan } from "../../support/network/faulty-proxy.js";
import {
  newBucket,
  plainClient,
  radosgw,
  storeVariables,
} from "../../support/stores/s3-buckets.js";

// Serial: each test runs the program, and some measure its time.

const STORES_ALONE = ["--skip-ceph", "--skip-etcd", "--outputdir", "."];

/** A proxy in front of radosgw, and the arguments and variables of doctor for a new bucket behind it. */
async function throughProxy(t: ExecutionContext, plan: Plan) {
  const bucket = await newBucket();
  const proxy = await FaultyProxy.start(radosgw().endpoint, plan);
  t.teardown(() => proxy.close());
  const args = [...STORES_ALONE, "--store", `s3://${bucket}`];
  return { bucket, args, variables: storeVariables({ endpoint: proxy.url }) };
}

async function keysIn(bucket: string): Promise<(string | undefined)[]> {
  const client = plainClient();
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  client.destroy();
  return Contents.map(({ Key }) => Key);
}

const ofProbe = ({ method, url }: Asked, wanted: string): boolean =>
  method === wanted && url.includes("/.backuptool-probe-");

test.serial("a store that returns other bytes than it got fails", async (t) => {
  const { bucket, args, variables } = await throughProxy(t, (asked) =>
    ofProbe(asked, "GET") ? { kind: "spoil-answer", at: 500 } : undefined,
  );
  const checks = await doctor(t, 1, args, variables);
  failed(t, checks.get("primary store get"), /^other bytes/, /do not keep backups there/);
  t.is(checks.get("primary store delete")?.state, "ok");
  t.deepEqual(await keysIn(bucket), []);
});

test.serial("a store that rejects deletion fails, and the check names the probe", async (t) => {
  const { bucket, args, variables } = await throughProxy(t, (asked) =>
    ofProbe(asked, "DELETE") ? { kind: "status", status: 403 } : undefined,
  );
  const checks = await doctor(t, 1, args, variables);
  const [left = ""] = await keysIn(bucket);
  t.regex(left, /^\.backuptool-probe-[0-9a-f]{16}$/);
  const advice = new RegExp(`their permissions; remove "${left}" by hand`);
  failed(t, checks.get("primary store delete"), /^not allowed/, advice);
});

test.serial("a probe whose answers are lost is removed", async (t) => {
  const { bucket, args, variables } = await throughProxy(t, (asked) =>
    ofProbe(asked, "PUT") ? { kind: "lose-answer" } : undefined,
  );
  const checks = await doctor(t, 1, args, variables);
  failed(t, checks.get("primary store put"), /./, /is the store up/);
  t.is(checks.get("primary store delete")?.state, "ok");
  t.deepEqual(await keysIn(bucket), []);
});

test.serial("a probe is removed when doctor is interrupted", async (t) => {
  let reached = (): void => {};
  const reading = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const { bucket, args, variables } = await throughProxy(t, (asked) => {
    if (!ofProbe(asked, "GET")) return undefined;
    reached();
    return { kind: "hang" };
  });
  const { code } = await backuptool(["doctor", ...args], {
    env: variables,
    onStart: async (child) => {
      await reading;
      t.is((await keysIn(bucket)).length, 1);
      child.kill("SIGINT");
    },
  });
  t.is(code, 130);
  t.deepEqual(await keysIn(bucket), []);
});
