import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { Authority, type Certificate } from "../../support/network/certificates.js";
import { ALONE, logOf, QUICK, untilDurable } from "../../support/program/delta-log.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { folderStore } from "../../support/stores/flags.js";

const authority = new Authority(newFolder(), "authority");
const other = new Authority(newFolder(), "other");
const own = authority.sign("server", "IP:127.0.0.1");
const client = authority.sign("client", "DNS:client");
/** etcd takes the name of a certificate for a login. */
const rootCertificate = authority.sign("root", "DNS:root");
const stranger = other.sign("stranger", "DNS:stranger");

const ROOT = { BACKUPTOOL_USER: "root", BACKUPTOOL_PASSWORD: "secret" };
const TOKEN_SECONDS = 2;

let etcd: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start(
    [
      ...["--cert-file", own.cert, "--key-file", own.key, "--client-cert-auth"],
      ...["--trusted-ca-file", authority.cacert, "--auth-token-ttl", `${TOKEN_SECONDS}`],
    ],
    [
      ...[`--cacert=${authority.cacert}`, `--cert=${client.cert}`, `--key=${client.key}`],
      ...["--user", "root:secret"],
    ],
  );
  await etcd.ctl("user", "add", "root:secret", "--interactive=false");
  await etcd.ctl("user", "grant-role", "root", "root");
  await etcd.ctl("auth", "enable");
});
test.after.always(() => etcd?.stop());

/** The client of the tests has no certificate. */
const viaCtl = {
  revision: async (): Promise<number> => {
    const [{ Status }] = JSON.parse(await etcd.ctl("endpoint", "status", "-w", "json"));
    return Status.header.revision;
  },
};

const tls = (certificate: Certificate, { cacert } = authority) => [
  ...["--etcd", etcd.endpoint, "--cacert", cacert],
  ...["--cert", certificate.cert, "--key", certificate.key],
];

for (const [login, certificate, env] of [
  ["the login of a user", client, ROOT],
  ["the login of a certificate", rootCertificate, {}],
] as const) {
  test.serial(
    `changes of an etcd with TLS come through with ${login}, also after its token has ended`,
    async (t) => {
      const store = folderStore(newFolder());
      await etcd.ctl("put", "key", "#0#");
      const base = await viaCtl.revision();
      const args = [...store.flags(), ...ALONE, ...QUICK, ...tls(certificate)];
      const server = await RunningServer.start(args, { ...store.env(), ...env });
      t.teardown(() => server.stop("SIGKILL"));
      await server.logged("A stream of deltas has a base");
      await etcd.ctl("put", "key", "#1#");
      await untilDurable(server, viaCtl);
      await sleep(1000 * (TOKEN_SECONDS + 1));
      // What a lease has is asked of etcd by a call of its own.
      const [, lease = ""] =
        /lease (\w+) granted/.exec(await etcd.ctl("lease", "grant", "600")) ?? [];
      await etcd.ctl("put", "key", "#2#", `--lease=${lease}`);
      const end = await untilDurable(server, viaCtl);
      t.is((await server.status()).deltas.state, "following");
      t.is(await server.stop(), 0, server.output);
      const log = await logOf(store, base, end);
      t.deepEqual([...log.keys()], [base + 1, base + 2]);
      t.true([...log.values()].every((value, i) => value.includes(`#${i + 1}#`)));
    },
  );
}

for (const [what, certificate, trusted] of [
  ["the certificate of etcd is of another authority", client, other],
  ["etcd does not take the certificate of the server", stranger, authority],
] as const) {
  test.serial(`where ${what}, the status says so`, async (t) => {
    const store = folderStore(newFolder());
    const args = [...store.flags(), ...ALONE, ...QUICK, ...tls(certificate, trusted)];
    const server = await RunningServer.start(args, { ...store.env(), ...ROOT });
    t.teardown(() => server.stop("SIGKILL"));
    const failure = await server.until("a failure of the deltas", async () =>
      (await server.status()).failures.find(({ job }) => job === "deltas"),
    );
    t.is(failure.code, "ETCD_TLS");
    t.true(failure.message.includes(etcd.endpoint), failure.message);
    t.regex(failure.message, /certificate/);
    await server.until("the state", async () => (await server.status()).deltas.state === "failing");
    const { deltas } = await server.status();
    t.is(deltas.sites.primary?.durableRevision, undefined);
    t.is(await server.stop(), 0, server.output);
  });
}
