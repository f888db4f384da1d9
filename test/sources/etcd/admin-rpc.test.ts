import test, { type ExecutionContext } from "ava";
import {
  AUTH_DISABLE,
  AUTH_ENABLE,
  AUTH_STATUS,
  ROLE_ADD,
  ROLE_DELETE,
  ROLE_GET,
  ROLE_GRANT_PERMISSION,
  ROLE_LIST,
  ROLE_REVOKE_PERMISSION,
  USER_ADD,
  USER_DELETE,
  USER_GET,
  USER_GRANT_ROLE,
  USER_LIST,
  USER_REVOKE_ROLE,
} from "../../../src/sources/etcd/auth-rpc.js";
import { EtcdConnection } from "../../../src/sources/etcd/connection.js";
import {
  COMPACT,
  DEFRAGMENT,
  HASH_KV,
  MEMBER_ADD,
  MEMBER_LIST,
  MEMBER_PROMOTE,
  MEMBER_REMOVE,
  MEMBER_UPDATE,
  MOVE_LEADER,
} from "../../../src/sources/etcd/member-rpc.js";
import { PUT, STATUS } from "../../../src/sources/etcd/rpc.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

async function connect(t: ExecutionContext) {
  const etcd = await EtcdServer.start();
  const root = { user: "root", password: "secret" };
  const connection = await EtcdConnection.open({ endpoints: [etcd.endpoint], ...root });
  t.teardown(async () => {
    connection.close();
    await etcd.stop();
  });
  return { etcd, connection };
}

test("a learner is added, not promoted before it runs, and removed", async (t) => {
  const { connection } = await connect(t);
  const peerURLs = ["http://127.0.0.1:1"];
  const { member } = await connection.call(MEMBER_ADD, { peerURLs, isLearner: true });
  const ID = member?.ID ?? "0";
  t.not(ID, "0");
  t.true(member?.isLearner);
  const { members = [] } = await connection.call(MEMBER_LIST, { linearizable: true });
  t.is(members.length, 2);
  const added = members.find((each) => each.ID === ID);
  t.deepEqual(added, { ID, peerURLs, isLearner: true });
  await t.throwsAsync(connection.call(MEMBER_PROMOTE, { ID }), { message: /in sync with leader/ });
  await connection.call(MEMBER_REMOVE, { ID });
  t.is((await connection.call(MEMBER_LIST, {})).members?.length, 1);
});

test("a member gets other peer URLs", async (t) => {
  const { connection } = await connect(t);
  const { members = [] } = await connection.call(MEMBER_LIST, {});
  const [{ ID = "0", peerURLs = [] } = {}] = members;
  const changed = [...peerURLs, "http://127.0.0.1:1"].sort();
  const updated = await connection.call(MEMBER_UPDATE, { ID, peerURLs: changed });
  t.deepEqual(updated.members?.[0]?.peerURLs?.toSorted(), changed);
});

test("a hash is that of etcdctl, with the compact revision", async (t) => {
  const { etcd, connection } = await connect(t);
  for (const key of ["a", "b", "a"]) await connection.call(PUT, { key: Buffer.from(key) });
  await connection.call(COMPACT, { revision: "3", physical: true });
  await connection.call(DEFRAGMENT, {});
  const { hash, compact_revision } = await connection.call(HASH_KV, { revision: "0" });
  const [{ HashKV }] = JSON.parse(await etcd.ctl("endpoint", "hashkv", "-w", "json"));
  t.deepEqual({ hash, compact_revision }, HashKV && { hash: HashKV.hash, compact_revision: "3" });
});

test("a leader does not hand over to a member that is not there", async (t) => {
  const { connection } = await connect(t);
  const { leader } = await connection.call(STATUS, {});
  t.is(typeof leader, "string");
  await t.throwsAsync(connection.call(MOVE_LEADER, { targetID: "5" }), {
    message: /bad leader transferee/,
  });
});

test("users, roles and permissions are made, listed and deleted, and authentication enabled", async (t) => {
  const { connection } = await connect(t);
  for (const name of ["root", "reader"]) {
    await connection.call(USER_ADD, { name, password: "secret" });
    await connection.call(ROLE_ADD, { name });
    await connection.call(USER_GRANT_ROLE, { user: name, role: name });
  }
  const range = { key: Buffer.from("a"), range_end: Buffer.from("b") };
  const perm = { permType: "Readwrite", ...range } as const;
  await connection.call(ROLE_GRANT_PERMISSION, { name: "reader", perm });
  await connection.call(AUTH_ENABLE, {});
  t.deepEqual((await connection.call(ROLE_GET, { role: "reader" })).perm, [perm]);
  await connection.call(ROLE_REVOKE_PERMISSION, { role: "reader", ...range });
  t.is((await connection.call(ROLE_GET, { role: "reader" })).perm, undefined);
  t.deepEqual((await connection.call(USER_LIST, {})).users, ["reader", "root"]);
  t.deepEqual((await connection.call(ROLE_LIST, {})).roles, ["reader", "root"]);
  t.deepEqual((await connection.call(USER_GET, { name: "reader" })).roles, ["reader"]);
  await connection.call(USER_REVOKE_ROLE, { name: "reader", role: "reader" });
  t.is((await connection.call(USER_GET, { name: "reader" })).roles, undefined);
  await connection.call(ROLE_DELETE, { role: "reader" });
  await connection.call(USER_DELETE, { name: "reader" });
  t.deepEqual((await connection.call(USER_LIST, {})).users, ["root"]);
  await connection.call(AUTH_DISABLE, {});
  await t.notThrowsAsync(connection.call(USER_LIST, {}));
});

test("a server of etcd 3.4 says that it cannot tell whether authentication is enabled", async (t) => {
  const { connection } = await connect(t);
  const { version = "" } = await connection.call(STATUS, {});
  const status = connection.call(AUTH_STATUS, {});
  if (version.startsWith("3.4.")) await t.throwsAsync(status, { message: /unknown method/ });
  else t.falsy((await status).enabled);
});
