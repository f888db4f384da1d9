import test from "ava";
import { EtcdConnection } from "../../../src/sources/etcd/connection.js";
import { ScriptedEtcd } from "../../support/servers/scripted-etcd.js";

test("a member that learns late of a new token is asked again", async (t) => {
  const etcd = await ScriptedEtcd.start();
  const { signal } = new AbortController();
  const login = { user: "root", password: "secret" };
  const connection = await EtcdConnection.open({ endpoints: [etcd.endpoint], ...login }, signal);
  etcd.tokenIsLate = 4;
  t.is(await connection.currentRevision(signal), 100);
  t.is(etcd.tokenIsLate, 0);
  connection.close();
  etcd.stop();
});

test("a token that is never accepted is an error", async (t) => {
  const etcd = await ScriptedEtcd.start();
  etcd.tokenIsLate = Number.POSITIVE_INFINITY;
  const login = { user: "root", password: "secret" };
  await t.throwsAsync(EtcdConnection.open({ endpoints: [etcd.endpoint], ...login }), {
    code: "ETCD_AUTH",
  });
  etcd.stop();
});
