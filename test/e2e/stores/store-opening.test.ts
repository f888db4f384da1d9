import { randomBytes } from "node:crypto";
import test from "ava";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { bucketStore } from "../../support/stores/flags.js";

test("files of a backup in a store are checked in parallel, and the error names the first that is missing", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (let i = 0; i < 12; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
  const bucket = await newBucket();
  const plain = bucketStore(bucket);
  const flags = ["--skip-ceph", "--etcd", etcd.endpoint, "--archive-size", "1MiB"];
  const made = await backuptool(["create", ...flags, ...plain.flags()], { env: plain.env() });
  t.is(made.code, 0, made.stderr);

  const isFile = (url: string) => /ARCHIVE/.test(url);
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ url }) =>
    isFile(url) ? { kind: "slow", ms: 300 } : undefined,
  );
  t.teardown(() => proxy.close());
  const store = bucketStore(bucket, { endpoint: proxy.url });
  const inspect = ["inspect", "--quick", "--snapshot", "latest", ...store.flags()];
  const inspected = await backuptool(inspect, { env: store.env() });
  t.is(inspected.code, 0, inspected.stderr);
  t.true(proxy.most > 4 && proxy.most <= 8, `${proxy.most}`);

  const opened = plain.open();
  const { objects } = await opened.list("");
  const archives = objects.map(({ key }) => key).filter(isFile);
  t.true(archives.length >= 12);
  for (const key of archives.slice(3, 9)) await opened.delete(key);
  await opened.close();
  const name = /^(Full-[^/]+)/.exec(archives[0] ?? "")?.[1] ?? "";
  for (let i = 0; i < 3; i++) {
    const named = inspect.map((word) => (word === "latest" ? name : word));
    const { code, stderr } = await backuptool(named, { env: store.env() });
    t.is(code, 11, stderr);
    t.regex(lines(Buffer.from(stderr)).join(" "), /ARCHIVE00003\.bin/);
    t.notRegex(stderr, /ARCHIVE0000[4-8]/);
  }
});
