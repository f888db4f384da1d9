import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { adviceOf } from "../../../src/cli/output/failure.js";
import { UsageError } from "../../../src/errors.js";
import { EtcdCluster, type EtcdOptions } from "../../../src/sources/etcd/cluster.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { Authority, type Certificate } from "../../support/network/certificates.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

const folder = newFolder();
const authority = new Authority(folder, "authority");
const other = new Authority(folder, "other");
const server = authority.sign("server", "IP:127.0.0.1");
const elsewhere = authority.sign("elsewhere", "DNS:etcd.example");
const client = authority.sign("client", "DNS:client");
const stranger = other.sign("stranger", "DNS:stranger");

function tlsFlags(own: Certificate): string[] {
  const files = ["--cert-file", own.cert, "--key-file", own.key];
  return [...files, "--trusted-ca-file", authority.cacert, "--client-cert-auth"];
}
const ctlFlags = [`--cacert=${authority.cacert}`, `--cert=${client.cert}`, `--key=${client.key}`];

let etcd: EtcdServer;
let plain: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start(tlsFlags(server), ctlFlags);
  plain = await EtcdServer.start();
});
test.after.always(async () => {
  await etcd?.stop();
  await plain?.stop();
});

async function revisionOf(options: EtcdOptions): Promise<number> {
  const cluster = await EtcdCluster.connect(options);
  try {
    return await cluster.currentRevision();
  } finally {
    cluster.close();
  }
}

async function refused(t: ExecutionContext, options: EtcdOptions): Promise<EtcdError> {
  const error = await t.throwsAsync(revisionOf(options), { instanceOf: EtcdError });
  t.is(error.code, "ETCD_TLS", error.message);
  t.truthy(error.hint);
  return error;
}

const { cacert } = authority;

test("etcd answers with the CA and a client certificate, with and without https://", async (t) => {
  for (const endpoint of [etcd.endpoint, `https://${etcd.endpoint}`]) {
    t.true((await revisionOf({ endpoints: [endpoint], cacert, ...client })) > 0);
  }
});

test("a server certificate of another CA is rejected", async (t) => {
  const error = await refused(t, { endpoints: [etcd.endpoint], ...client, cacert: other.cacert });
  t.true(error.message.includes(etcd.endpoint));
});

test("a server certificate without its CA is rejected", async (t) => {
  await refused(t, { endpoints: [`https://${etcd.endpoint}`] });
});

test("a server whose certificate is for another name is rejected", async (t) => {
  // etcdctl would fail too, so it does not check that this etcd is up.
  const wrong = await EtcdServer.start(tlsFlags(elsewhere), [
    ...ctlFlags,
    "--insecure-skip-tls-verify",
  ]);
  t.teardown(() => wrong.stop());
  await refused(t, { endpoints: [wrong.endpoint], cacert, ...client });
});

test("without a client certificate, or with one of another CA, the server ends the handshake", async (t) => {
  for (const own of [{}, stranger]) {
    const error = await t.throwsAsync(revisionOf({ endpoints: [etcd.endpoint], cacert, ...own }), {
      instanceOf: EtcdError,
    });
    t.true(error.message.includes(etcd.endpoint));
    t.regex(`${error.message} ${adviceOf(error)}`, /--cert/);
  }
});

test("the error of plain http to a server with TLS has advice", async (t) => {
  const error = await t.throwsAsync(revisionOf({ endpoints: [`http://${etcd.endpoint}`] }), {
    instanceOf: EtcdError,
  });
  t.true(error.message.includes(etcd.endpoint));
  t.regex(error.hint ?? "", /https:\/\//);
});

test("the error of https to a server without TLS has advice", async (t) => {
  // Not ETCD_TLS when the server closed the connection before the handshake.
  const error = await t.throwsAsync(revisionOf({ endpoints: [`https://${plain.endpoint}`] }), {
    instanceOf: EtcdError,
  });
  t.regex(error.hint ?? "", /http:\/\//);
});

test("the error of a missing or invalid PEM file names it", async (t) => {
  const gone = join(folder, "gone.pem");
  const error = await refused(t, { endpoints: [etcd.endpoint], cacert: gone });
  t.true(error.message.includes(gone));
  const noPem = join(folder, "no.pem");
  writeFileSync(noPem, "no certificate");
  await refused(t, { endpoints: [etcd.endpoint], cacert: noPem });
  await refused(t, { endpoints: [etcd.endpoint], cacert, cert: noPem, key: client.key });
});

test("a key of another certificate is rejected before anything is sent", async (t) => {
  await refused(t, { endpoints: [etcd.endpoint], cacert, cert: client.cert, key: stranger.key });
});

test("half a client certificate, and TLS files for http://, are wrong usage", async (t) => {
  const endpoints = [etcd.endpoint];
  for (const options of [
    { endpoints, cacert, cert: client.cert },
    { endpoints, cacert, key: client.key },
    { endpoints: [`http://${etcd.endpoint}`], cacert },
  ]) {
    await t.throwsAsync(revisionOf(options), { instanceOf: UsageError });
  }
});
