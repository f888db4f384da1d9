import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { ListObjectVersionsCommand } from "@aws-sdk/client-s3";
import test, { type ExecutionContext } from "ava";
import { backuptool, cephFlags, env, lines } from "../../support/program/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../../support/ceph/client.js";
import { doctor, failed } from "../../support/program/doctor.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { newBucket, plainClient, storeVariables } from "../../support/stores/s3-buckets.js";

// Serial: each test runs the program, and some measure its time.

let etcd: EtcdServer;
/** The first pool has an object, the second is empty. */
let pools: string[];
test.before(async () => {
  etcd = await EtcdServer.start();
  pools = await makePools(2);
  await writeObjects(pools[0] ?? "", [{ name: "object", size: 100, omap: [["a", "b"]] }]);
});
test.after.always(async () => {
  await etcd?.stop();
  await dropPools(pools);
});

/** A server that accepts connections and never answers; and the time of the first one. */
async function silentServer(
  t: ExecutionContext,
): Promise<{ silent: string; connected: Promise<unknown> }> {
  const sockets = new Set<{ destroy(): void }>();
  const server = createServer((socket) => sockets.add(socket.on("error", () => {})));
  const connected = once(server, "connection");
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { silent: `127.0.0.1:${(server.address() as AddressInfo).port}`, connected };
}

test.serial(
  "with nothing wrong, every check passes, in the order of the areas, and nothing is left behind",
  async (t) => {
    const bucket = await newBucket();
    const folder = newFolder();
    const [target = ""] = await makePools(1);
    t.teardown(() => dropPools([target]));
    const result = await backuptool(
      [
        "doctor",
        ...cephFlags(),
        "--etcd",
        etcd.endpoint,
        "--outputdir",
        join(folder, "backup"),
        ...pools.flatMap((pool) => ["--include-pool", pool]),
        "--restore-pool",
        `any:${target}`,
        "--store",
        `s3://${bucket}/pre`,
        "--secondary-store",
        `file://${folder}/store`,
      ],
      { env: storeVariables() },
    );
    const out = lines(result.stdout);
    t.is(result.code, 0, out.join("\n"));
    const expected = [
      /^ok {7}program version: backuptool \d/,
      /^ok {7}program node: \d+/,
      /^ok {7}ceph librados: version \d+\.\d+\.\d+$/,
      /^ok {7}ceph ceph.conf: ".*ceph.conf"$/,
      /^ok {7}ceph keyring: ".*" has a key of "client.admin"$/,
      /^ok {7}ceph connection: as "client.admin", cluster [0-9a-f-]{36}$/,
      /^ok {7}ceph pools: \d+ there$/,
      new RegExp(`^ok {7}ceph pool "${pools[0]}": can be listed and read$`),
      new RegExp(`^ok {7}ceph pool "${pools[1]}": can be listed, and is empty$`),
      new RegExp(`^ok {7}ceph target pool "${target}": can be written$`),
      new RegExp(
        `^ok {7}etcd ${etcd.endpoint}: version 3\\.\\d+\\.\\d+, cluster [0-9a-f]+, no alarms, database [\\d.]+ KiB`,
      ),
      /^ok {7}etcd raw snapshot: [\d.]+ KiB, with room in ".+"$/,
      /^(ok {7}|warning )folder ".*backup": .* of .* free/,
      new RegExp(`^ok {7}primary store list: s3://${bucket}/pre, entries: 0$`),
      /^ok {7}primary store put: 1024 bytes$/,
      /^ok {7}primary store head: 1024 bytes$/,
      /^ok {7}primary store get: the same bytes$/,
      /^ok {7}primary store delete: the probe is gone$/,
      /^ok {7}primary store create-only: kept: of two writers /,
      /^ok {7}primary store clock: /,
      /^ok {7}primary store versioning: off$/,
      /^ok {7}primary store object lock: off$/,
      /^ok {7}secondary store list: file:\/\/.*store, entries: 0$/,
      /^ok {7}secondary store put: /,
      /^ok {7}secondary store head: /,
      /^ok {7}secondary store get: /,
      /^ok {7}secondary store delete: /,
      /^ok {7}secondary store create-only: /,
      /^skipped {2}secondary store clock: a folder/,
      /^(ok {7}|warning )secondary store space: .* of .* free/,
    ];
    t.is(out.length, expected.length, out.join("\n"));
    for (const [i, pattern] of expected.entries()) t.regex(out[i] ?? "", pattern);
    t.regex(result.stderr, /^30 checks: \d+ ok, \d warnings?, 0 failed, 1 skipped\n$/);
    t.deepEqual(readdirSync(folder, { recursive: true }), ["store"]);
    t.deepEqual(await dumpPool(target), []);
    const client = plainClient();
    const { Versions, DeleteMarkers } = await client.send(
      new ListObjectVersionsCommand({ Bucket: bucket }),
    );
    client.destroy();
    t.deepEqual([Versions ?? [], DeleteMarkers ?? []], [[], []]);
  },
);

test.serial("a skipped check names the flag that skips it, and is no failure", async (t) => {
  const checks = await doctor(t, 0, ["--skip-ceph", "--skip-etcd", "--outputdir", "."]);
  t.deepEqual(checks.get("ceph all"), { state: "skipped", detail: "left out (--skip-ceph)" });
  t.deepEqual(checks.get("etcd all"), { state: "skipped", detail: "left out (--skip-etcd)" });
  t.false([...checks.keys()].some((name) => name.includes("store")));
});

test.serial("checks of servers that hang fail in time, each by name", async (t) => {
  const { silent } = await silentServer(t);
  const conf = join(newFolder(), "ceph.conf");
  writeFileSync(conf, `[global]\nmon host = ${silent}\n`);
  const checks = await doctor(
    t,
    1,
    [
      "--cephconf",
      conf,
      "--keyring",
      env("CEPH_KEYRING_ADMIN"),
      "--etcd",
      silent,
      "--store",
      "s3://bucket",
      "--secondary-store",
      `file://${newFolder()}`,
    ],
    storeVariables({ endpoint: `http://${silent}` }),
  );
  failed(t, checks.get("ceph connection"), /no monitor answers/, /mon_host/);
  failed(t, checks.get(`etcd ${silent}`), /no answer in time/, /is etcd running there/);
  failed(
    t,
    checks.get("primary store list"),
    /^s3:\/\/bucket: no answer within 10 seconds/,
    /up\?/,
  );
  t.is(checks.get("primary store put")?.state, "skipped");
  t.is(checks.get("secondary store get")?.state, "ok");
});

test.serial("an interrupted doctor exits with 130", async (t) => {
  const { silent, connected } = await silentServer(t);
  const { code } = await backuptool(["doctor", "--skip-ceph", "--etcd", silent], {
    onStart: async (child) => {
      await connected;
      child.kill("SIGINT");
    },
  });
  t.is(code, 130);
});

test.serial("conflicting flags are rejected", async (t) => {
  const args = ["doctor", "--skip-ceph", "--include-pool", "p"];
  const { code, stderr } = await backuptool(args);
  t.is(code, 2);
  t.regex(stderr, /--include-pool "p" contradicts --skip-ceph/);
});
