import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import test, { type ExecutionContext } from "ava";
import { checkLost, type FormerMembers } from "../../../src/operations/members/check-lost.js";
import { clusterStatus } from "../../../src/operations/members/status.js";
import type { EtcdOptions } from "../../../src/sources/etcd/options.js";
import { newFolder } from "../../support/folders.js";
import { Authority } from "../../support/network/certificates.js";
import { EtcdFront } from "../../support/servers/etcd-front.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const { signal } = new AbortController();
/** Of the discard protocol: nothing listens there. */
const NOBODY = "127.0.0.1:9";

function check(etcd: EtcdOptions, more: Partial<FormerMembers> = {}): Promise<void> {
  const others = { peerUrls: [`http://${NOBODY}`], former: [], presumedLost: [] };
  return checkLost({ etcd, ...others, ...more }, signal);
}

/** A port at which something listens that says nothing. */
async function listener(t: ExecutionContext): Promise<string> {
  const server = createServer((socket) => socket.on("error", () => {}).destroy());
  server.listen(0, "127.0.0.1");
  t.teardown(() => server.close());
  await once(server, "listening");
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("a member whose list needs a login is alive, and tells its list to the login", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  await etcd.ctl("user", "add", "root:secret");
  await etcd.ctl("user", "grant-role", "root", "root");
  await etcd.ctl("auth", "enable");
  // As etcd does it from 3.4.42 on.
  const front = await EtcdFront.start(etcd.endpoint, ({ method, token }) =>
    method === "Cluster/MemberList" && token === undefined
      ? { details: "etcdserver: user name is empty" }
      : undefined,
  );
  t.teardown(() => front.stop());
  const endpoints = [front.endpoint];
  for (const user of [undefined, "root:secret", "root:wrong"]) {
    await t.throwsAsync(check({ endpoints, user }), {
      code: "ETCD_MEMBER_ALIVE",
      message: /is alive at/,
    });
  }
  const status = (user?: string) =>
    clusterStatus({ etcd: { endpoints, user } }, { signal, report: () => {} });
  await t.throwsAsync(status(), { code: "ETCD_AUTH" });
  t.is((await status("root:secret")).members.length, 1);
});

test("a member that demands TLS or a certificate of its clients may be alive", async (t) => {
  const folder = newFolder();
  const authority = new Authority(folder, "authority");
  const other = new Authority(folder, "other");
  const server = authority.sign("server", "IP:127.0.0.1");
  const client = authority.sign("client", "DNS:client");
  const { cacert } = authority;
  const etcd = await EtcdServer.start(
    [
      ...["--cert-file", server.cert, "--key-file", server.key],
      ...["--trusted-ca-file", cacert, "--client-cert-auth"],
    ],
    [`--cacert=${cacert}`, `--cert=${client.cert}`, `--key=${client.key}`],
  );
  t.teardown(() => etcd.stop());
  const secure = [`https://${etcd.endpoint}`];
  const doubtful: EtcdOptions[] = [
    { endpoints: [`http://${etcd.endpoint}`] },
    { endpoints: secure },
    { endpoints: secure, cacert },
    { endpoints: secure, cacert: other.cacert, ...client },
    { endpoints: [NOBODY, etcd.endpoint] },
  ];
  for (const options of doubtful) {
    await t.throwsAsync(check(options), {
      code: "ETCD_MEMBER_ALIVE",
      message: /^a member of etcd may be alive at .*: something accepts connections there \(/,
    });
  }
  const known = check({ endpoints: secure, cacert, ...client });
  await t.throwsAsync(known, { code: "ETCD_MEMBER_ALIVE", message: /is alive at/ });
  const wrong = check({ endpoints: [`http://${etcd.endpoint}`], cacert });
  await t.throwsAsync(wrong, { code: "USAGE" });
});

test("whatever listens where a member was counts as one, until it is presumed lost", async (t) => {
  const place = await listener(t);
  const url = `http://${place}`;
  const options = { endpoints: [NOBODY] };
  await t.notThrowsAsync(check(options));
  const cases: [EtcdOptions, Partial<FormerMembers>][] = [
    [{ endpoints: [NOBODY, place] }, {}],
    [options, { peerUrls: [url] }],
    [options, { former: [`https://${place}`] }],
  ];
  for (const [etcd, more] of cases) {
    const { code, message } = { code: "ETCD_MEMBER_ALIVE", message: /may be alive/ };
    await t.throwsAsync(check(etcd, more), { code, message });
    await t.throwsAsync(check(etcd, { ...more, presumedLost: [NOBODY] }), { code, message });
    await t.notThrowsAsync(check(etcd, { ...more, presumedLost: [url] }));
  }
});

test("a name that is not known says nothing about its machine", async (t) => {
  const named = { endpoints: ["no-such-machine.invalid:2379"] };
  await t.throwsAsync(check(named), { code: "ETCD_MEMBER_ALIVE", message: /may be alive/ });
  await t.notThrowsAsync(check(named, { presumedLost: ["no-such-machine.invalid"] }));
});
