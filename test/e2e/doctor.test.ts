import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectLockConfigurationCommand,
} from "@aws-sdk/client-s3";
import test, { type ExecutionContext } from "ava";
import { backuptool, cephFlags, env, lines, PROGRAM } from "../support/backuptool.js";
import { dropPools, dumpPool, makePools, writeObjects } from "../support/ceph-client.js";
import { DevCluster } from "../support/dev-cluster.js";
import { EtcdServer, freePort } from "../support/etcd-server.js";
import { type Asked, FaultyProxy, type Plan } from "../support/faulty-proxy.js";
import { newFolder } from "../support/folders.js";
import { runProcess } from "../support/processes.js";
import { newBucket, plainClient, radosgw } from "../support/s3-buckets.js";
import { newSwiftContainer } from "../support/swift-auth.js";

interface Check {
  readonly state: string;
  readonly detail: string;
  readonly advice?: string;
}

// One after the other: each runs a program of its own, and some look at how long it took.

let etcd: EtcdServer;
/** One with an object, one empty. */
let pools: string[];
test.before(async () => {
  etcd = await EtcdServer.start();
  pools = await makePools(2);
  await writeObjects(pools[0] ?? "", [{ name: "object", size: 100, omap: [["a", "b"]] }]);
});
test.after.always(async () => {
  await etcd.stop();
  await dropPools(pools);
});

/** Runs doctor, which must end with `code`; its checks by area and name. */
async function doctor(
  t: ExecutionContext,
  code: number,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Map<string, Check>> {
  const result = await backuptool(["doctor", "--json", ...args], {
    env: { BACKUPTOOL_PASSPHRASE: undefined, ...environment },
  });
  const said = result.stdout.toString();
  t.is(result.code, code, `${args.join(" ")}: ${said}${result.stderr}`);
  const events = lines(result.stdout).map((line) => JSON.parse(line));
  t.is(events.at(-1)?.type, "checked", said);
  const checks = events.slice(0, -1);
  t.true(
    checks.every(({ type }) => type === "check"),
    said,
  );
  return new Map(checks.map(({ type: _, area, name, ...check }) => [`${area} ${name}`, check]));
}

function failed(t: ExecutionContext, check: Check | undefined, detail: RegExp, advice: RegExp) {
  t.is(check?.state, "failed");
  t.regex(check?.detail ?? "", detail);
  t.regex(check?.advice ?? "", advice);
}

const CEPH_ALONE = ["--skip-etcd", "--outputdir", "."];
const ETCD_ALONE = ["--skip-ceph", "--outputdir", "."];
const STORES_ALONE = ["--skip-ceph", "--skip-etcd", "--outputdir", "."];

/** The variables of an S3 store on radosgw. */
function s3(more: Readonly<Record<string, unknown>> = {}, role: "" | "SECONDARY_" = "") {
  const { endpoint, credentials } = radosgw();
  const file = join(newFolder(), "s3.json");
  const fields = {
    accessKeyID: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    ...{ endpoint, region: "us-east-1", s3ForcePathStyle: true },
    ...more,
  };
  writeFileSync(file, JSON.stringify(fields));
  return { [`${role}AWS_APPLICATION_CREDENTIALS_JSON`]: file };
}

/** A server that takes connections and never says a word; and when the first was made. */
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
  "where all is well, every line says so in the order of the areas, and nothing is left behind",
  async (t) => {
    const bucket = await newBucket();
    const folder = newFolder();
    const [target = ""] = await makePools(1);
    t.teardown(() => dropPools([target]));
    const result = await backuptool(
      [
        "doctor",
        ...cephFlags(),
        ...["--etcd", etcd.endpoint, "--outputdir", join(folder, "backup")],
        ...pools.flatMap((pool) => ["--include-pool", pool]),
        ...["--restore-pool", `any:${target}`],
        ...["--store", `s3://${bucket}/pre`, "--secondary-store", `file://${folder}/store`],
      ],
      { env: s3() },
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
      /^(ok {7}|warning )folder ".*backup": .* of .* free/,
      new RegExp(`^ok {7}primary store list: s3://${bucket}/pre, entries: 0$`),
      /^ok {7}primary store put: 1024 bytes$/,
      /^ok {7}primary store head: 1024 bytes$/,
      /^ok {7}primary store get: the same bytes$/,
      /^ok {7}primary store delete: the probe is gone$/,
      /^ok {7}primary store clock: /,
      /^ok {7}primary store versioning: off$/,
      /^ok {7}primary store object lock: off$/,
      /^ok {7}secondary store list: file:\/\/.*store, entries: 0$/,
      /^ok {7}secondary store put: /,
      /^ok {7}secondary store head: /,
      /^ok {7}secondary store get: /,
      /^ok {7}secondary store delete: /,
      /^skipped {2}secondary store clock: a folder/,
      /^(ok {7}|warning )secondary store space: .* of .* free/,
    ];
    t.is(out.length, expected.length, out.join("\n"));
    for (const [i, pattern] of expected.entries()) t.regex(out[i] ?? "", pattern);
    t.regex(result.stderr, /^27 checks: \d+ ok, \d warnings?, 0 failed, 1 skipped\n$/);
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

test.serial("what is skipped says by which flag, and skipping is no failure", async (t) => {
  const checks = await doctor(t, 0, STORES_ALONE);
  t.deepEqual(checks.get("ceph all"), { state: "skipped", detail: "--skip-ceph" });
  t.deepEqual(checks.get("etcd all"), { state: "skipped", detail: "--skip-etcd" });
  t.false([...checks.keys()].some((name) => name.includes("store")));
});

test.serial("an etcd that is down fails beside one that answers", async (t) => {
  const down = `127.0.0.1:${await freePort()}`;
  const checks = await doctor(t, 1, [...ETCD_ALONE, "--etcd", `${down},${etcd.endpoint}`]);
  failed(t, checks.get(`etcd ${down}`), /^cannot connect: .*ECONNREFUSED/, /is etcd running there/);
  t.is(checks.get(`etcd ${etcd.endpoint}`)?.state, "ok");
});

test.serial("TLS where there is none fails with what to write", async (t) => {
  const endpoint = `https://${etcd.endpoint}`;
  const checks = await doctor(t, 1, [...ETCD_ALONE, "--etcd", endpoint]);
  failed(t, checks.get(`etcd ${endpoint}`), /cannot connect/, /write http:\/\//);
});

test.serial(
  "an etcd that wants a login says which flags, and never what the password was",
  async (t) => {
    const guarded = await EtcdServer.start(["--bcrypt-cost", "4"], ["--user=root:secret"]);
    t.teardown(() => guarded.stop());
    await guarded.ctl("user", "add", "root:secret");
    await guarded.ctl("user", "grant-role", "root", "root");
    await guarded.ctl("auth", "enable");
    const args = [...ETCD_ALONE, "--etcd", guarded.endpoint];
    const name = `etcd ${guarded.endpoint}`;
    failed(t, (await doctor(t, 1, args)).get(name), /user name is empty/, /--user and --password/);
    const wrong = await doctor(t, 1, [...args, "--user", "root:quite-wrong"]);
    failed(t, wrong.get(name), /authentication failed/, /--user and --password/);
    t.false(JSON.stringify([...wrong]).includes("quite-wrong"));
    t.is((await doctor(t, 0, [...args, "--user", "root:secret"])).get(name)?.state, "ok");
  },
);

test.serial("an alarm fails, and says how to end it", async (t) => {
  const full = await EtcdServer.start(["--quota-backend-bytes", "1000000"]);
  t.teardown(() => full.stop());
  const fill = async (): Promise<void> => {
    for (let i = 0; i < 20; i++) await full.put(Buffer.from(`k${i}`), Buffer.alloc(300_000));
  };
  await t.throwsAsync(fill(), { message: /space exceeded/ });
  const checks = await doctor(t, 1, [...ETCD_ALONE, "--etcd", full.endpoint]);
  failed(t, checks.get(`etcd ${full.endpoint}`), /alarm NOSPACE of member [0-9a-f]+/, /disarm/);
});

test.serial("endpoints of two clusters are told apart", async (t) => {
  const other = await EtcdServer.start(["--initial-cluster-token", "another"]);
  t.teardown(() => other.stop());
  const both = ["--etcd", etcd.endpoint, "--etcd", other.endpoint];
  const checks = await doctor(t, 1, [...ETCD_ALONE, ...both]);
  failed(
    t,
    checks.get("etcd members"),
    /^of 2 clusters: [0-9a-f]+, [0-9a-f]+$/,
    /one cluster only/,
  );
  const twice = ["--etcd", etcd.endpoint, "--etcd", `http://${etcd.endpoint}`];
  const same = await doctor(t, 0, [...ETCD_ALONE, ...twice]);
  t.is(same.get("etcd members")?.detail, "all 2 of one cluster");
});

test.serial("servers that hang are given up within seconds, all of them together", async (t) => {
  const { silent } = await silentServer(t);
  const conf = join(newFolder(), "ceph.conf");
  writeFileSync(conf, `[global]\nmon host = ${silent}\n`);
  const begun = performance.now();
  const checks = await doctor(
    t,
    1,
    [
      ...["--cephconf", conf, "--keyring", env("CEPH_KEYRING_ADMIN"), "--etcd", silent],
      ...["--store", "s3://bucket", "--secondary-store", `file://${newFolder()}`],
    ],
    s3({ endpoint: `http://${silent}` }),
  );
  const seconds = (performance.now() - begun) / 1000;
  t.true(seconds < 20, `${seconds} s`);
  failed(t, checks.get("ceph connection"), /no monitor answers/, /mon_host/);
  failed(t, checks.get(`etcd ${silent}`), /no answer in time/, /is etcd running there/);
  failed(t, checks.get("primary store list"), /^s3:\/\/bucket: no answer within 5 seconds/, /up\?/);
  t.is(checks.get("primary store put")?.state, "skipped");
  t.is(checks.get("secondary store get")?.state, "ok");
});

test.serial("an interruption ends it at once, with 130", async (t) => {
  const { silent, connected } = await silentServer(t);
  let stopped = 0;
  const { code } = await backuptool(["doctor", ...ETCD_ALONE, "--etcd", silent], {
    onStart: async (child) => {
      await connected;
      stopped = performance.now();
      child.kill("SIGINT");
    },
  });
  t.is(code, 130);
  t.true(performance.now() - stopped < 2500);
});

const keyring = (user: string): string => {
  const path = join(newFolder(), "keyring");
  writeFileSync(path, `[${user}]\n\tkey = AQBz6h1ZAAAAABAAPeKqh0n0yWvYTbPAVOZgkQ==\n`, {
    mode: 0o600,
  });
  return path;
};

test.serial("a ceph.conf that is not there fails, and what needs it is skipped", async (t) => {
  const checks = await doctor(t, 1, [...CEPH_ALONE, "--cephconf", "/no/such/ceph.conf"]);
  failed(t, checks.get("ceph ceph.conf"), /ENOENT/, /--cephconf/);
  t.is(checks.get("ceph connection")?.state, "skipped");
});

test.serial("a keyring without the user fails, and says whom it is of", async (t) => {
  const files = ["--cephconf", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_BACKUP")];
  const checks = await doctor(t, 1, [...CEPH_ALONE, ...files]);
  const detail = /has no key of "client.admin", only of "client.backup"$/;
  failed(t, checks.get("ceph keyring"), detail, /--ceph-user/);
});

test.serial(
  "a keyring that everybody may read is a warning, and a wrong key a failure",
  async (t) => {
    const path = join(newFolder(), "open");
    writeFileSync(path, "[client.admin]\n\tkey = AQBz6h1ZAAAAABAAPeKqh0n0yWvYTbPAVOZgkQ==\n", {
      mode: 0o644,
    });
    const conf = ["--cephconf", env("CEPH_CONF")];
    const open = await doctor(t, 1, [...CEPH_ALONE, ...conf, "--keyring", path]);
    t.is(open.get("ceph keyring")?.state, "warning");
    t.regex(open.get("ceph keyring")?.advice ?? "", /chmod/);
    failed(t, open.get("ceph connection"), /the key is not accepted/, /--keyring/);
    t.false(JSON.stringify([...open]).includes("AQBz6h1Z"));
    const closed = await doctor(t, 1, [
      ...CEPH_ALONE,
      ...conf,
      "--keyring",
      keyring("client.admin"),
    ]);
    t.is(closed.get("ceph keyring")?.state, "ok");
  },
);

test.serial("a pool that is not there fails beside one that is", async (t) => {
  const [pool = ""] = pools;
  const args = ["--include-pool", "no\x1bsuch", "--include-pool", pool, "--restore-pool", "a:gone"];
  const checks = await doctor(t, 1, [...CEPH_ALONE, ...cephFlags(), ...args]);
  failed(t, checks.get('ceph pool "no\\x1bsuch"'), /no such pool/, new RegExp(pool));
  failed(t, checks.get('ceph target pool "gone"'), /no such pool/, new RegExp(pool));
  t.is(checks.get(`ceph pool "${pool}"`)?.state, "ok");
});

test.serial("a user without capabilities on a pool hears which are missing", async (t) => {
  const [pool = ""] = pools;
  const user = ["--ceph-user", "backup", "--keyring", env("CEPH_KEYRING_BACKUP")];
  const named = ["--include-pool", pool, "--restore-pool", `a:${pool}`];
  const conf = ["--cephconf", env("CEPH_CONF")];
  const checks = await doctor(t, 1, [...CEPH_ALONE, ...conf, ...user, ...named]);
  t.is(checks.get("ceph connection")?.state, "ok");
  const read = new RegExp(`"client.backup" the capability osd 'allow r pool=${pool}'`);
  failed(t, checks.get(`ceph pool "${pool}"`), /^list objects: not allowed/, read);
  const write = new RegExp(`osd 'allow rw pool=${pool}'`);
  failed(t, checks.get(`ceph target pool "${pool}"`), /^write .*: not allowed/, write);
  t.is((await dumpPool(pool)).length, 1);
});

test.serial("a target that takes no omap is a warning, and the probe goes", async (t) => {
  const [pool = ""] = await makePools(1, "erasure");
  t.teardown(() => dropPools([pool]));
  const args = [...CEPH_ALONE, ...cephFlags(), "--restore-pool", `a:${pool}`];
  const check = (await doctor(t, 0, args)).get(`ceph target pool "${pool}"`);
  t.is(check?.state, "warning");
  t.regex(check?.detail ?? "", /erasure-coded/);
  t.deepEqual(await dumpPool(pool), []);
});

test.serial(
  "a bucket that is not there fails, and the other store is looked at all the same",
  async (t) => {
    const stores = ["--store", "s3://no-such-bucket", "--secondary-store", `file://${newFolder()}`];
    const checks = await doctor(t, 1, [...STORES_ALONE, ...stores], s3());
    for (const name of ["list", "put"]) {
      failed(t, checks.get(`primary store ${name}`), /NoSuchBucket/, /make the bucket/);
    }
    t.is(checks.get("primary store object lock")?.state, "skipped");
    t.is(checks.get("secondary store delete")?.state, "ok");
  },
);

test.serial("a wrong secret key fails with where to look, and is not shown", async (t) => {
  const bucket = await newBucket();
  const secretAccessKey = "a-very-wrong-secret";
  const args = [...STORES_ALONE, "--store", `s3://${bucket}`];
  const checks = await doctor(t, 1, args, s3({ secretAccessKey }));
  failed(
    t,
    checks.get("primary store list"),
    /not allowed \((SignatureDoesNotMatch|AccessDenied), 403/,
    /check the store's keys/,
  );
  failed(t, checks.get("primary store put"), /not allowed/, /check the store's keys/);
  t.is(checks.get("primary store clock")?.state, "ok");
  t.false(JSON.stringify([...checks]).includes(secretAccessKey));
});

test.serial("a bucket of another user can be told from one that is not there", async (t) => {
  const bucket = await newBucket({ user: "two" });
  const checks = await doctor(t, 1, [...STORES_ALONE, "--store", `s3://${bucket}`], s3());
  failed(t, checks.get("primary store list"), /AccessDenied/, /what they are allowed to do/);
});

test.serial("credentials that make no store fail as a check, and the rest goes on", async (t) => {
  const stores = ["--store", "s3://bucket", "--secondary-store", `file://${newFolder()}`];
  const checks = await doctor(t, 1, [...STORES_ALONE, ...stores], s3({ accessKeyID: undefined }));
  failed(t, checks.get("primary store settings"), /accessKeyID/, /./);
  t.is(checks.get("secondary store delete")?.state, "ok");
});

test.serial("a bucket that locks every object is not given a probe that would stay", async (t) => {
  const bucket = await newBucket({ objectLock: true });
  const client = plainClient();
  const args = [...STORES_ALONE, "--store", `s3://${bucket}`];
  const before = await doctor(t, 0, args, s3());
  t.is(before.get("primary store object lock")?.detail, "on, without a default");
  t.regex(before.get("primary store versioning")?.detail ?? "", /^on: .*lifecycle rule/);
  t.is(before.get("primary store delete")?.state, "ok");
  await client.send(
    new PutObjectLockConfigurationCommand({
      Bucket: bucket,
      ObjectLockConfiguration: {
        ObjectLockEnabled: "Enabled",
        Rule: { DefaultRetention: { Mode: "COMPLIANCE", Days: 2 } },
      },
    }),
  );
  const { Versions: old = [] } = await client.send(
    new ListObjectVersionsCommand({ Bucket: bucket }),
  );
  const checks = await doctor(t, 0, args, s3());
  const lock = checks.get("primary store object lock");
  t.is(lock?.detail, "on: every new object is locked for 2 days (COMPLIANCE)");
  t.is(checks.get("primary store put")?.state, "skipped");
  const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
  client.destroy();
  t.is(Versions.length, old.length);
});

test.serial("versioning that was suspended is told", async (t) => {
  const bucket = await newBucket();
  const client = plainClient();
  await client.send(
    new PutBucketVersioningCommand({
      Bucket: bucket,
      VersioningConfiguration: { Status: "Suspended" },
    }),
  );
  client.destroy();
  const checks = await doctor(t, 0, [...STORES_ALONE, "--store", `s3://${bucket}`], s3());
  t.is(checks.get("primary store versioning")?.detail, "suspended");
});

test.serial("a clock that is two minutes wrong is a warning", async (t) => {
  const bucket = await newBucket();
  const shifted = new URL("../support/shifted-clock.js", import.meta.url).href;
  const checks = await doctor(t, 0, [...STORES_ALONE, "--store", `s3://${bucket}`], {
    ...s3(),
    NODE_OPTIONS: `--import ${shifted}`,
  });
  const clock = checks.get("primary store clock");
  t.is(clock?.state, "warning");
  t.regex(clock?.detail ?? "", /^the store's is (119|120|121) s behind this machine's$/);
  t.regex(clock?.advice ?? "", /NTP/);
});

/** A proxy in front of radosgw, and doctor's arguments and variables for a new bucket behind it. */
async function throughProxy(t: ExecutionContext, plan: Plan) {
  const bucket = await newBucket();
  const proxy = await FaultyProxy.start(radosgw().endpoint, plan);
  t.teardown(() => proxy.close());
  const args = [...STORES_ALONE, "--store", `s3://${bucket}`];
  return { bucket, args, variables: s3({ endpoint: proxy.url }) };
}

async function keysIn(bucket: string): Promise<(string | undefined)[]> {
  const client = plainClient();
  const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: bucket }));
  client.destroy();
  return Contents.map(({ Key }) => Key);
}

const ofProbe = ({ method, url }: Asked, wanted: string): boolean =>
  method === wanted && url.includes("/.backuptool-probe-");

test.serial("a store that gives back other bytes than were put fails", async (t) => {
  const { bucket, args, variables } = await throughProxy(t, (asked) =>
    ofProbe(asked, "GET") ? { kind: "spoil-answer", at: 500 } : undefined,
  );
  const checks = await doctor(t, 1, args, variables);
  failed(t, checks.get("primary store get"), /^other bytes/, /do not keep backups there/);
  t.is(checks.get("primary store delete")?.state, "ok");
  t.deepEqual(await keysIn(bucket), []);
});

test.serial("a store that refuses to delete fails, and the probe is named", async (t) => {
  const { bucket, args, variables } = await throughProxy(t, (asked) =>
    ofProbe(asked, "DELETE") ? { kind: "status", status: 403 } : undefined,
  );
  const checks = await doctor(t, 1, args, variables);
  const [left = ""] = await keysIn(bucket);
  t.regex(left, /^\.backuptool-probe-[0-9a-f]{16}$/);
  const advice = new RegExp(`allowed to do; remove "${left}" by hand`);
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

test.serial("an interruption in the middle of a probe removes it", async (t) => {
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

test.serial(
  "a Swift store is looked at as any other, its clock by the time of the probe",
  async (t) => {
    const name = `test-${randomBytes(8).toString("hex")}`;
    await newSwiftContainer(name);
    const variables = {
      ...{ ST_AUTH: env("SWIFT_AUTH"), ST_USER: env("SWIFT_USER"), ST_KEY: env("SWIFT_KEY") },
    };
    const args = [...STORES_ALONE, "--store", `swift://${name}/pre`];
    const checks = await doctor(t, 0, args, variables);
    for (const step of ["list", "put", "head", "get", "delete", "clock"]) {
      t.is(checks.get(`primary store ${step}`)?.state, "ok", step);
    }
  },
);

test.serial(
  "OSDs that do not answer are waited for once, whatever the number of pools",
  async (t) => {
    const cluster = await DevCluster.start(["one", "two", "three"]);
    t.teardown(() => cluster.down());
    await cluster.stop("osd.0");
    const begun = performance.now();
    const args = ["--skip-etcd", ...cluster.flags, "--restore-pool", "a:three", "--outputdir", "."];
    const named = ["--include-pool", "one", "--include-pool", "two"];
    const checks = await doctor(t, 1, [...args, ...named]);
    const seconds = (performance.now() - begun) / 1000;
    t.true(seconds < 20, `${seconds} s`);
    for (const pool of ['pool "one"', 'pool "two"', 'target pool "three"']) {
      failed(t, checks.get(`ceph ${pool}`), /no answer/, /OSDs may be down|health/);
    }
    failed(t, checks.get('ceph probe in target pool "three"'), /no answer/, /by hand/);
  },
);

test.serial("without librados it says what to install", async (t) => {
  const folder = newFolder();
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  cpSync(join(root, "dist/src"), join(folder, "src"), { recursive: true });
  cpSync(join(root, "package.json"), join(folder, "package.json"));
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  const args = ["doctor", "--json", ...CEPH_ALONE, ...cephFlags()];
  const program = join(folder, "src/cli/main.js");
  const { code, stdout, stderr } = await runProcess(process.execPath, [program, ...args]);
  t.is(code, 1, stderr);
  const checks = lines(stdout).map((line) => JSON.parse(line));
  const named = (name: string): Check => checks.find((check) => check.name === name);
  failed(t, named("librados"), /cannot be loaded/, /install .*librados/);
  t.is(named("connection").state, "skipped");
});

test.serial("the same place for both stores fails", async (t) => {
  const url = `file://${newFolder()}`;
  const stores = ["--store", url, "--secondary-store", `${url}/`];
  const checks = await doctor(t, 1, [...STORES_ALONE, ...stores]);
  failed(t, checks.get("stores places"), /the same place/, /elsewhere/);
});

/** In a small file system of its own: even root cannot write there after `mount`. */
async function inSmallFolder(t: ExecutionContext, code: number, mount: string) {
  const folder = newFolder();
  mkdirSync(join(folder, "store"));
  const flags = ["--skip-ceph", "--skip-etcd", "--json", "--store", `file://${folder}/store`];
  const script = `mount -t tmpfs -o size=1m tmpfs "$1" && mkdir "$1/store" && ${mount} && shift && exec "$@"`;
  const program = [process.execPath, PROGRAM, "doctor", ...flags, "--outputdir", `${folder}/b`];
  const result = await runProcess("unshare", ["-rm", "sh", "-c", script, "sh", folder, ...program]);
  t.is(result.code, code, `${result.stdout}${result.stderr}`);
  const events: { area: string; name: string }[] = lines(result.stdout).map((line) =>
    JSON.parse(line),
  );
  const of = (area: string, name: string): Check | undefined =>
    events.find((event) => event.area === area && event.name === name) as Check | undefined;
  return { of, folder };
}

test.serial("a read-only folder fails, as a store and for a backup", async (t) => {
  const { of, folder } = await inSmallFolder(t, 1, 'mount -o remount,ro "$1"');
  t.is(of("primary store", "list")?.state, "ok");
  failed(t, of("primary store", "put"), /^the folder is read-only/, /let this user write/);
  t.is(of("primary store", "delete"), undefined);
  failed(t, of("folder", `"${folder}/b"`), /EROFS/, /another --outputdir/);
});

test.serial("little room is a warning, and none a failure", async (t) => {
  const little = await inSmallFolder(t, 0, "true");
  t.is(little.of("primary store", "space")?.state, "warning");
  t.is(little.of("folder", `"${little.folder}/b"`)?.state, "warning");
  const fill = 'head -c 2000000 /dev/zero >"$1/filled" 2>/dev/null; true';
  const none = await inSmallFolder(t, 1, `{ ${fill}; }`);
  failed(t, none.of("primary store", "put"), /^no space left/, /make room/);
  failed(t, none.of("folder", `"${none.folder}/b"`), /^0 B of 1\.00 MiB free$/, /make room/);
});

test.serial("flags that contradict each other are wrong usage", async (t) => {
  const args = ["doctor", "--skip-ceph", "--include-pool", "p"];
  const { code, stderr } = await backuptool(args);
  t.is(code, 2);
  t.regex(stderr, /--include-pool "p" contradicts --skip-ceph/);
});
