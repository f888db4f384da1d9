import test from "ava";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { EtcdServer, freePort } from "../../support/servers/etcd-server.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { bucketStore, type NamedStore } from "../../support/stores/flags.js";

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
});

test.after.always(() => etcd?.stop());

/** A create that is interrupted as soon as it reports a retry. */
async function untilRetry(store: NamedStore, ...more: string[]) {
  const flags = ["--skip-ceph", "--etcd", etcd.endpoint, ...store.flags(), ...more];
  return await backuptool(["create", ...flags], {
    env: store.env(),
    onStart: (child) => {
      child.stderr?.on("data", (text: Buffer) => {
        if (/retrying for/.test(text.toString())) child.kill("SIGINT");
      });
    },
  });
}

async function closedStore(): Promise<NamedStore> {
  const endpoint = `http://127.0.0.1:${await freePort()}`;
  return bucketStore(await newBucket(), { endpoint });
}

test("a create to a store that refuses connections reports its retries before it fails", async (t) => {
  const { code, stderr } = await untilRetry(await closedStore(), "--quiet");
  t.is(code, 130, stderr);
  t.regex(
    stderr,
    /^warning: s3:\/\/test-[0-9a-f]+: .*ECONNREFUSED.*; retrying for up to 2[56] s$/m,
  );
});

test("with --json a retry is an event", async (t) => {
  const { code, stdout } = await untilRetry(await closedStore(), "--json");
  t.is(code, 130);
  const events = lines(stdout).map((line) => JSON.parse(line));
  const retries = events.filter(({ type }) => type === "store-retrying");
  t.is(retries.length, 1);
  const [{ store, reason, forMs }] = retries;
  t.regex(store, /^s3:\/\/test-/);
  t.regex(reason, /ECONNREFUSED/);
  t.true(Number.isInteger(forMs) && forMs > 20_000 && forMs < 26_000, `${forMs}`);
});

test("one failed try is not reported, a long wait for the next one is", async (t) => {
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method, nth }) =>
    method === "PUT" && nth === 0 ? { kind: "status", status: 500 } : undefined,
  );
  t.teardown(() => proxy.close());
  const bucket = await newBucket();
  const store = bucketStore(bucket, { endpoint: proxy.url });
  const flags = ["--skip-ceph", "--etcd", etcd.endpoint, ...store.flags()];
  const made = await backuptool(["create", ...flags], { env: store.env() });
  t.is(made.code, 0, made.stderr);
  t.true(proxy.log.filter(({ fault }) => fault !== undefined).length > 2);
  t.notRegex(made.stderr, /retrying for/);

  proxy.plan = () => ({ kind: "status", status: 503, retryAfter: "30" });
  const waiting = await untilRetry(store);
  t.is(waiting.code, 130, waiting.stderr);
  t.is(waiting.stderr.match(/503.*retrying for up to \d+ s/g)?.length, 1, waiting.stderr);
});
