import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Etcd3 } from "etcd3";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import type { EtcdOptions } from "../../../src/sources/etcd/options.js";
import { readRawSnapshot } from "../../../src/sources/etcd/snapshot.js";
import { newFolder } from "../../support/folders.js";
import { ForgettingProxy } from "../../support/network/forgetting-proxy.js";
import { EtcdMembers } from "../../support/servers/etcd-members.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { ScriptedEtcd } from "../../support/servers/scripted-etcd.js";

const { signal } = new AbortController();

/** Reads a raw snapshot into memory. */
async function read(options: EtcdOptions, onWrite: () => void = () => {}) {
  const attempts: { endpoint: string; bytes: number }[] = [];
  let pieces: Buffer[] = [];
  const sink = {
    begin: async (attempt: { endpoint: string; bytes: number }) => {
      attempts.push(attempt);
      pieces = [];
    },
    write: async (bytes: Buffer) => {
      pieces.push(bytes);
      onWrite();
    },
  };
  const read = await readRawSnapshot(options, sink, signal);
  return { ...read, attempts, file: Buffer.concat(pieces) };
}

async function ownEtcd(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

async function scripted(t: ExecutionContext): Promise<ScriptedEtcd> {
  const etcd = await ScriptedEtcd.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

function pairs(count: number, bytes: number): [string, string][] {
  return Array.from({ length: count }, (_, i) => [
    `key${i}`,
    randomBytes(bytes / 2).toString("hex"),
  ]);
}

test("a raw snapshot is a database that etcdctl restores, with all that was in etcd", async (t) => {
  const etcd = await ownEtcd(t);
  await etcd.putMany(pairs(500, 10_000));
  await etcd.ctl("del", "key7");
  const revision = await etcd.revision();
  const { file, attempts, ...facts } = await read({ endpoints: [etcd.endpoint] });
  t.deepEqual(attempts, [{ endpoint: etcd.endpoint, bytes: file.length }]);
  t.is(facts.bytes, file.length);
  t.is(facts.sha256, createHash("sha256").update(file).digest("hex"));
  t.is(facts.atLeast, revision);
  const [{ Status }] = JSON.parse(await etcd.ctl("endpoint", "status", "-w", "json"));
  t.is(BigInt(`0x${facts.member}`).toString().slice(0, 15), `${Status.leader}`.slice(0, 15));
  const saved = join(newFolder(), "snapshot");
  writeFileSync(saved, file);
  const before = await etcd.pairs();
  await etcd.restoreFrom(saved);
  t.deepEqual(await etcd.pairs(), before);
});

test("a follower sends the snapshot, and the leader where no follower is left", async (t) => {
  const members = await EtcdMembers.start();
  t.teardown(() => members.kill());
  const leader = await members.leader();
  const followers = members.all.filter((member) => member !== leader).map((each) => each.endpoint);
  const { endpoint } = await read({ endpoints: [leader.endpoint, ...followers] });
  t.true(followers.includes(endpoint));
  const gone = members.all.find((member) => member.endpoint === endpoint);
  await gone?.kill();
  const others = await read({ endpoints: [endpoint, leader.endpoint] });
  t.is(others.endpoint, leader.endpoint);
});

test("a stream that stops is begun again at another member", async (t) => {
  const members = await EtcdMembers.start();
  t.teardown(() => members.kill());
  const leader = await members.leader();
  const follower = members.all.find((member) => member !== leader);
  // More than the buffers on the way hold: what is in them would come in spite of the proxy.
  const client = new Etcd3({ hosts: leader.endpoint });
  for (let i = 0; i < 40; i++) await client.put(`key${i}`).value(randomBytes(1_000_000));
  client.close();
  const proxy = await ForgettingProxy.start(follower?.endpoint ?? "");
  t.teardown(() => proxy.close());
  const options = { endpoints: [proxy.endpoint, leader.endpoint], timeoutMs: 3000 };
  const whole = await read(options);
  t.is(whole.endpoint, proxy.endpoint);
  let writes = 0;
  const { attempts, endpoint, file, sha256 } = await read(options, () => {
    if (++writes > 1) return;
    proxy.forgetsNew = true;
    proxy.forget();
  });
  t.is(endpoint, leader.endpoint);
  t.deepEqual(
    attempts.map((attempt) => attempt.endpoint),
    [proxy.endpoint, leader.endpoint],
  );
  t.is(sha256, createHash("sha256").update(file).digest("hex"));
});

test("only a user with the role root gets a snapshot, and the error says so", async (t) => {
  const etcd = await ownEtcd(t);
  for (const command of [
    "role add all",
    "role grant-permission all readwrite --prefix=true \0",
    "user add root:secret",
    "user grant-role root root",
    "user add backup:secret",
    "user grant-role backup all",
    "auth enable",
  ]) {
    await etcd.ctl(...command.split(" ").map((word) => (word === "\0" ? "" : word)));
  }
  const endpoints = [etcd.endpoint];
  const error = await t.throwsAsync(read({ endpoints, user: "backup", password: "secret" }), {
    instanceOf: EtcdError,
  });
  t.is(error.code, "ETCD_AUTH");
  t.regex(error.hint ?? "", /role root/);
  t.true((await read({ endpoints, user: "root", password: "secret" })).bytes > 0);
});

test("a snapshot that is truncated, too long, empty or changed is damaged", async (t) => {
  const etcd = await scripted(t);
  const database = randomBytes(100_000);
  const digest = createHash("sha256").update(database).digest();
  const send = (...blobs: Buffer[]): void => {
    etcd.snapshot = (call) => {
      let left = database.length;
      for (const blob of blobs) {
        left -= blob.length;
        call.write({ blob, remaining_bytes: `${Math.max(0, left)}` });
      }
      call.end();
    };
  };
  const options = { endpoints: [etcd.endpoint], timeoutMs: 5000 };
  send(database, digest);
  t.deepEqual((await read(options)).file, Buffer.concat([database, digest]));
  const pieces = [database.subarray(0, 60_000), database.subarray(60_000), digest];
  send(...pieces);
  t.deepEqual((await read(options)).file, Buffer.concat([database, digest]));
  const changed = Buffer.from(database);
  changed[50_000] = (changed[50_000] as number) ^ 4;
  for (const [blobs, why] of [
    [[database], /has 100000 bytes instead of 100032/],
    [[database.subarray(0, 60_000), digest], /has 60032 bytes instead of 100032/],
    [[], /has 0 bytes instead of any/],
    [[changed, digest], /SHA-256 does not match/],
    [[database, Buffer.alloc(32)], /SHA-256 does not match/],
    [[database, digest, Buffer.alloc(1)], /has 100033 bytes/],
  ] as const) {
    send(...blobs);
    await t.throwsAsync(read(options), { code: "ETCD_PROTOCOL", message: why });
  }
});

test("a snapshot that never ends is cut off after the bytes that were announced", async (t) => {
  const etcd = await scripted(t);
  let sent = 0;
  etcd.snapshot = (call) => {
    const blob = Buffer.alloc(1 << 20);
    const more = (): void => {
      while (!call.cancelled && ++sent && call.write({ blob, remaining_bytes: "5000000" }));
    };
    call.on("drain", more);
    call.on("error", () => {});
    more();
  };
  await t.throwsAsync(read({ endpoints: [etcd.endpoint] }), { code: "ETCD_PROTOCOL" });
  t.true(sent < 200, `${sent}`);
});

test("an error of the sink ends the read, and a slow sink holds etcd back", async (t) => {
  const etcd = await scripted(t);
  let sent = 0;
  etcd.snapshot = (call) => {
    const blob = Buffer.alloc(1 << 20);
    const more = (): void => {
      while (!call.cancelled && sent < 500 && ++sent) {
        if (!call.write({ blob, remaining_bytes: `${500 * blob.length}` })) break;
      }
    };
    call.on("drain", more);
    call.on("error", () => {});
    more();
  };
  let sentBefore = 0;
  const full = new Error("disk full");
  const sink = {
    begin: async () => {},
    write: async () => {
      let quiet = 0;
      // Until nothing more comes while the sink is busy.
      while (quiet++ < 20) {
        if (sent > sentBefore) quiet = 0;
        sentBefore = sent;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      throw full;
    },
  };
  const reading = readRawSnapshot({ endpoints: [etcd.endpoint] }, sink, signal);
  t.is(await t.throwsAsync(reading), full);
  t.true(sentBefore < 100, `${sentBefore}`);
});

test("an interrupted read ends at once", async (t) => {
  const etcd = await scripted(t);
  const stop = new AbortController();
  etcd.snapshot = () => stop.abort();
  const sink = { begin: async () => {}, write: async () => {} };
  const reading = readRawSnapshot({ endpoints: [etcd.endpoint] }, sink, stop.signal);
  await t.throwsAsync(reading, { code: "INTERRUPTED" });
});

test("a raw snapshot is never of another cluster among the endpoints", async (t) => {
  const ours = await ownEtcd(t);
  const others = await EtcdMembers.start();
  t.teardown(() => others.kill());
  for (let i = 0; i < 5; i++) await others.ctl(["put", "key", `${i}`]);
  // By itself a follower with a higher revision comes first.
  const leader = await others.leader();
  const endpoint = others.all.find((member) => member !== leader)?.endpoint ?? "";
  const chosen = await read({ endpoints: [ours.endpoint, endpoint] });
  t.is(chosen.endpoint, ours.endpoint);
});
