import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Azurite } from "../../support/stores/azurite.js";
import { backuptool, env } from "../../support/program/backuptool.js";
import { Authority } from "../../support/network/certificates.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { GcsEmulator } from "../../support/stores/gcs-emulator.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { newSwiftContainer } from "../../support/stores/swift-auth.js";
import { TlsFront } from "../../support/network/tls-front.js";
import { WebProxy } from "../../support/network/web-proxy.js";

/** Names that only the proxy resolves (RFC 6761). */
const NAMES = ["s3", "swift", "azure", "gcs"] as const;
type Name = (typeof NAMES)[number];

const authority = new Authority(newFolder(), "authority");
const certificate = authority.sign(
  "server",
  `IP:127.0.0.1,${NAMES.map((name) => `DNS:${name}.test`).join(",")}`,
);
/** The certificate of the proxy; it has no name of a store. */
const ofProxy = authority.sign("proxy", "IP:127.0.0.1,DNS:localhost");
const trusted = { NODE_EXTRA_CA_CERTS: authority.cacert };

let etcd: EtcdServer;
let azurite: Azurite;
let emulator: GcsEmulator;
const fronts: TlsFront[] = [];
/** `NAME.test:80` and `NAME.test:443`. */
const names: Record<string, string> = {};

test.before(async () => {
  [etcd, azurite, emulator] = await Promise.all([
    EtcdServer.start(),
    Azurite.start(),
    GcsEmulator.start(),
  ]);
  // More than 2 MiB in one upload: the SDK of S3 then expects "100 Continue".
  for (let i = 0; i < 3; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_000_000));
  const servers: Record<Name, string> = {
    s3: radosgw().endpoint,
    swift: new URL(env("SWIFT_AUTH")).origin,
    azure: new URL(azurite.endpoint).origin,
    gcs: emulator.url,
  };
  for (const name of NAMES) {
    const front = await TlsFront.start(servers[name], certificate);
    fronts.push(front);
    names[`${name}.test:80`] = servers[name];
    names[`${name}.test:443`] = front.url;
  }
});

test.after.always(async () => {
  for (const front of fronts) front.close();
  azurite?.stop();
  emulator?.stop();
  await etcd?.stop();
});

interface Store {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A new, empty place at the provider, under a name that only the proxy resolves. */
const PROVIDERS: Readonly<Record<Name, (scheme: string) => Promise<Store>>> = {
  s3: async (scheme) => s3Store(await newBucket(), `${scheme}://s3.test`),
  swift: async (scheme) => {
    const container = `proxies-${randomBytes(4).toString("hex")}`;
    await newSwiftContainer(container);
    const origin = `${scheme}://swift.test`;
    const auth = origin + new URL(env("SWIFT_AUTH")).pathname;
    return {
      flags: storeFlags(`swift://${container}`, `${origin}/swift/v1`),
      env: { ST_AUTH: auth, ST_USER: env("SWIFT_USER"), ST_KEY: env("SWIFT_KEY") },
    };
  },
  azure: async (scheme) => {
    const container = `proxies-${randomBytes(4).toString("hex")}`;
    await azurite.newContainer(container);
    return {
      flags: storeFlags(`azblob://${container}`, `${scheme}://azure.test/${azurite.account}`),
      env: { AZURE_STORAGE_ACCOUNT: azurite.account, AZURE_STORAGE_KEY: azurite.key },
    };
  },
  gcs: async (scheme) => ({
    flags: storeFlags(`gs://backups/${randomBytes(4).toString("hex")}`, `${scheme}://gcs.test`),
    env: { GOOGLE_EMULATOR_ENABLED: "true" },
  }),
};

function storeFlags(store: string, endpoint: string): string[] {
  return ["--store", store, "--store-endpoint-override", endpoint];
}

function s3Store(bucket: string, endpoint: string): Store {
  const { accessKeyId, secretAccessKey } = radosgw().credentials;
  return {
    flags: storeFlags(`s3://${bucket}`, endpoint),
    env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  };
}

async function proxy(
  t: ExecutionContext,
  ...more: [certificate?: typeof certificate]
): Promise<WebProxy> {
  const started = await WebProxy.start(names, ...more);
  t.teardown(() => started.close());
  return started;
}

async function createsAndReads(
  t: ExecutionContext,
  store: Store,
  variables: Readonly<Record<string, string>>,
): Promise<void> {
  const options = { env: { ...trusted, ...store.env, ...variables } };
  const source = ["--skip-ceph", "--etcd", etcd.endpoint];
  const made = await backuptool(["create", ...source, ...store.flags], options);
  t.is(made.code, 0, made.stderr);
  const read = await backuptool(["inspect", "--snapshot", "latest", ...store.flags], options);
  t.is(read.code, 0, read.stderr);
  t.regex(read.stdout.toString(), /archive contains 0 ceph objects and 3 etcd records/);
}

for (const name of NAMES) {
  test(`${name}: HTTPS goes through a tunnel of the proxy in HTTPS_PROXY`, async (t) => {
    const web = await proxy(t);
    const store = await PROVIDERS[name]("https");
    // The variable of the other scheme names no proxy.
    const elsewhere = { HTTP_PROXY: "http://127.0.0.1:9" };
    await createsAndReads(t, store, { HTTPS_PROXY: web.url(), ...elsewhere });
    t.deepEqual(new Set(web.tunnels), new Set([`${name}.test:443`]));
    t.deepEqual(web.calls, []);
    // One tunnel serves many calls.
    t.true(web.tunnels.length < 20, `${web.tunnels.length}`);
  });

  test(`${name}: plain HTTP is forwarded by the proxy in HTTP_PROXY`, async (t) => {
    const web = await proxy(t);
    const store = await PROVIDERS[name]("http");
    await createsAndReads(t, store, { HTTP_PROXY: web.url(), HTTPS_PROXY: "http://127.0.0.1:9" });
    t.deepEqual(web.tunnels, []);
    t.true(web.calls.length > 3);
    t.true(web.connections.length < web.calls.length, "connections are kept");
  });

  test(`${name}: a proxy that speaks TLS, with a user and a password`, async (t) => {
    const web = await proxy(t, ofProxy);
    web.credentials = "someone:p@ss/word";
    const url = web.url("someone:p%40ss%2Fword");
    await createsAndReads(t, await PROVIDERS[name]("https"), { all_proxy: url });
    const named = url.replace("127.0.0.1", "localhost");
    await createsAndReads(t, await PROVIDERS[name]("http"), { all_proxy: named });
    await createsAndReads(t, await PROVIDERS[name]("https"), { all_proxy: named });
    t.true(web.tunnels.length > 0);
    t.true(web.calls.length > 0);
  });

  test(`${name}: a proxy with the certificate of the store is rejected`, async (t) => {
    const web = await proxy(t, authority.sign(`not-${name}`, `DNS:${name}.test`));
    for (const scheme of ["http", "https"]) {
      const store = await PROVIDERS[name](scheme);
      const options = { env: { ...trusted, ...store.env, ALL_PROXY: web.url("someone:secret") } };
      const listed = await backuptool(["snapshot", "list", ...store.flags], options);
      t.is(listed.code, 1, listed.stderr);
      t.regex(listed.stderr, /the proxy .* cannot be reached.*NODE_EXTRA_CA_CERTS/s);
    }
    t.deepEqual([web.tunnels, web.calls], [[], []]);
  });

  for (const scheme of ["http", "https"]) {
    test(`${name}: an error over ${scheme} names the proxy that rejects the request, and no password`, async (t) => {
      const web = await proxy(t);
      const store = await PROVIDERS[name](scheme);
      const list = async () => {
        const url = web.url("someone:wrong-password");
        const variables = { HTTPS_PROXY: url, HTTP_PROXY: url, ...trusted, ...store.env };
        const flags = [...store.flags, "--verbose"];
        const listed = await backuptool(["snapshot", "list", ...flags], { env: variables });
        t.is(listed.code, 1, listed.stderr);
        t.true(
          listed.stderr.includes(`127.0.0.1:${web.port} (${scheme.toUpperCase()}_PROXY)`),
          listed.stderr,
        );
        t.false(listed.stderr.includes("wrong-password"), listed.stderr);
        t.false(/[Bb]asic/.test(listed.stderr), listed.stderr);
        return listed.stderr;
      };
      web.credentials = "someone:else";
      t.regex(await list(), /requires a user and password, or rejects them \(407\)/);
      if (scheme === "https") {
        web.refuses = 403;
        t.regex(await list(), /does not connect to .*\.test:443 \(403\)/);
      }
    });
  }
}

const unreachable = { HTTPS_PROXY: "http://127.0.0.1:9", HTTP_PROXY: "http://127.0.0.1:9" };

test("a loopback address is connected directly, whatever the variables are", async (t) => {
  await createsAndReads(t, s3Store(await newBucket(), radosgw().endpoint), unreachable);
  const azure = await PROVIDERS.azure("http");
  const flags = [...azure.flags.slice(0, 3), azurite.endpoint];
  await createsAndReads(t, { ...azure, flags }, unreachable);
  const conf = join(newFolder(), "rclone.conf");
  writeFileSync(conf, "[disk]\ntype = local\n");
  const rclone = { flags: ["--store", `rclone:disk:${newFolder()}`], env: { RCLONE_CONFIG: conf } };
  await createsAndReads(t, rclone, unreachable);
});

test("rclone uses the proxy in ALL_PROXY too", async (t) => {
  const web = await proxy(t);
  const { accessKeyId, secretAccessKey } = radosgw().credentials;
  const conf = join(newFolder(), "rclone.conf");
  writeFileSync(
    conf,
    `[s3]\ntype = s3\nprovider = Ceph\nendpoint = http://s3.test\naccess_key_id = ${accessKeyId}\nsecret_access_key = ${secretAccessKey}\n`,
  );
  const flags = ["--store", `rclone:s3:${await newBucket()}`];
  await createsAndReads(t, { flags, env: { RCLONE_CONFIG: conf } }, { ALL_PROXY: web.url() });
  t.true(web.calls.length > 0);
});

test("tokens of an impersonated account are requested through the proxy too", async (t) => {
  const web = await proxy(t);
  const file = join(newFolder(), "gcs.json");
  const key = {
    type: "impersonated_service_account",
    service_account_impersonation_url:
      "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/s@p.iam.gserviceaccount.com:generateAccessToken",
    source_credentials: {
      type: "authorized_user",
      client_id: "id",
      client_secret: "secret",
      refresh_token: "token",
    },
  };
  writeFileSync(file, JSON.stringify(key), { mode: 0o600 });
  const variables = { GOOGLE_APPLICATION_CREDENTIALS: file, ALL_PROXY: web.url() };
  const listed = await backuptool(["snapshot", "list", "--store", "gs://bucket"], {
    env: variables,
  });
  t.is(listed.code, 1, listed.stderr);
  t.regex(listed.stderr, /proxy http:\/\/127\.0\.0\.1:\d+ \(ALL_PROXY\)/);
  t.is(web.tunnels[0], "oauth2.googleapis.com:443");
});

test("the error of a value that is not the URL of an HTTP proxy names the variable", async (t) => {
  for (const name of NAMES) {
    const store = await PROVIDERS[name]("https");
    for (const [value, words] of [
      ["socks5://someone:secret@127.0.0.1:1080", /ALL_PROXY: socks5 proxies are not supported/],
      ["http://someone:secret@:3128", /ALL_PROXY is not the URL of a proxy/],
      ["http://someone:secret%zz@127.0.0.1:3128", /ALL_PROXY is not the URL of a proxy/],
    ] as const) {
      const variables = { ...trusted, ...store.env, ALL_PROXY: value };
      const listed = await backuptool(["snapshot", "list", ...store.flags], { env: variables });
      t.is(listed.code, 2, `${name} ${value}: ${listed.stderr}`);
      t.regex(listed.stderr, words);
      t.false(listed.stderr.includes("secret"), listed.stderr);
    }
  }
});
