import test from "ava";
import {
  dataDirIdentity,
  identityIn,
} from "../../../../src/sources/etcd/members/data-dir-identity.js";
import { foundedIds } from "../../../../src/sources/etcd/members/member-id.js";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { newFolder } from "../../../support/folders.js";
import { EtcdMembers } from "../../../support/servers/etcd-members.js";

test("the ids of a new cluster are those that etcd gives, and its data dirs tell them", async (t) => {
  const cluster = await EtcdMembers.prepare();
  t.teardown(() => cluster.kill());
  const token = "a token";
  for (const member of cluster.all) {
    member.launch(["--initial-cluster", cluster.initialCluster, "--initial-cluster-token", token]);
  }
  await cluster.untilHealthy();
  const { clusterId, memberIds } = foundedIds(
    cluster.all.map(({ peerUrl }) => [peerUrl]),
    token,
  );
  const list = await cluster.ctl(["member", "list"]);
  for (const [i, member] of cluster.all.entries()) {
    const memberId = memberIds[i] ?? 0n;
    t.regex(list, new RegExp(`^${memberId.toString(16)}, started, ${member.name},`, "m"));
    t.deepEqual(await dataDirIdentity(member.dataDir), { memberId, clusterId });
  }
  const other = foundedIds([[cluster.member(1).peerUrl]], "another token");
  t.not(other.memberIds[0], memberIds[0]);
});

test("a folder without a member has no identity", async (t) => {
  const folder = newFolder();
  t.is(await dataDirIdentity(join(folder, "missing")), undefined);
  t.is(await dataDirIdentity(folder), undefined);
  mkdirSync(join(folder, "member"));
  t.is(await dataDirIdentity(folder), undefined);
});

test("a data dir whose log cannot be read is an error, and not an empty one", async (t) => {
  const folder = newFolder();
  mkdirSync(join(folder, "member", "wal"), { recursive: true });
  const expected = { code: "ETCD_DATA_DIR", message: /cannot tell which member/ };
  await t.throwsAsync(dataDirIdentity(folder), expected);
  writeFileSync(join(folder, "member", "wal", "0000000000000000-0000000000000000.wal"), "");
  await t.throwsAsync(dataDirIdentity(folder), expected);
});

test("the head of a log that is damaged ends with an error or an identity", (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 4096 }), fc.nat(100), (bytes, length) => {
      const head = Buffer.from(bytes);
      if (head.length >= 8) head.writeBigUInt64LE(BigInt(length));
      try {
        t.is(typeof identityIn(head).memberId, "bigint");
      } catch (error) {
        t.true(error instanceof Error);
      }
    }),
  );
  t.pass();
});
