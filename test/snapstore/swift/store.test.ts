import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import test, { type ExecutionContext } from "ava";
import { InterruptedError } from "../../../src/errors.js";
import type { SwiftConfig } from "../../../src/snapstore/config.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { SwiftStore } from "../../../src/snapstore/swift/store.js";
import { env } from "../../support/program/backuptool.js";
import { Authority } from "../../support/network/certificates.js";
import { type Fault, FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { Keystone, newSwiftContainer, radosgwToken } from "../../support/stores/swift-auth.js";
import { TlsFront } from "../../support/network/tls-front.js";
import { conformance, readAll, refused } from "../conformance.js";

const container = `test-${randomBytes(8).toString("hex")}`;
await newSwiftContainer(container);
const auth = {
  kind: "v1",
  url: env("SWIFT_AUTH"),
  user: env("SWIFT_USER"),
  key: env("SWIFT_KEY"),
} as const;
const config: SwiftConfig = { provider: "Swift", container, prefix: "", auth };

const keystone = await Keystone.start();
test.after.always(() => keystone.stop());
const password = {
  kind: "v3-password",
  url: keystone.url,
  user: "u",
  password: keystone.password,
  userDomain: "Default",
  project: "p",
  projectDomain: "Default",
} as const;
const v3: SwiftConfig = { ...config, auth: password, region: "here" };

conformance("Swift on radosgw", async (prefix) => new SwiftStore({ ...config, prefix }), {
  secrets: [env("SWIFT_KEY")],
});

test("segments are not listed, and are deleted with their object", async (t) => {
  const name = `${container}-own`;
  await newSwiftContainer(name);
  const store = new SwiftStore({ ...config, container: name });
  await upload(t, store, "z/large");
  t.is((await names(name)).length, 4);
  t.deepEqual(
    (await store.list("")).objects.map(({ key, size }) => [key, size]),
    [["z/large", SIZE]],
  );
  t.deepEqual((await store.list("", { shallow: true })).folders, ["z/"]);
  const second = await store.list("", { limit: 2 });
  t.deepEqual(second.objects, []);
  const rest = await store.list("", { limit: 2, cursor: second.next });
  t.deepEqual(
    rest.objects.map(({ key }) => key),
    ["z/large"],
  );
  t.is(await store.abortStaleUploads("", new Date(Date.now() + 60_000)), 0);
  await refused(t, "STORE_FAILED", () => store.put(".backuptool-segments/x", Buffer.from("x")));

  await upload(t, store, "z/large");
  t.is((await names(name)).length, 4, "the segments of the one that was replaced are gone");
  await store.put("z/large", Buffer.from("small"));
  t.deepEqual(await names(name), ["z/large"]);
  await upload(t, store, "z/large");
  await store.delete("z/large");
  t.deepEqual(await names(name), []);
});

test("without static large objects dynamic ones are used (radosgw behind a proxy)", async (t) => {
  const store = new SwiftStore({ ...v3, prefix: "dynamic" });
  await upload(t, store, "a b/lärge");
  const { token, storageUrl } = await radosgwToken();
  const answer = await fetch(`${storageUrl}/${container}/dynamic/a%20b/l%C3%A4rge`, {
    method: "HEAD",
    headers: { "X-Auth-Token": token },
  });
  t.truthy(answer.headers.get("x-object-manifest"));
  await store.delete("a b/lärge");
  t.deepEqual(
    (await names(container)).filter((name) => name.includes("dynamic")),
    [],
  );
});

test("v3 passwords and application credentials work (with an emulated Keystone)", async (t) => {
  const withPassword = new SwiftStore({ ...v3, prefix: "v3" });
  await withPassword.put("k", Buffer.from("bytes"));
  const auth = { kind: "v3-application-credential", url: `${keystone.url}/v3/`, id: "i" } as const;
  const withCredential = new SwiftStore({
    ...v3,
    prefix: "v3",
    auth: { ...auth, secret: keystone.secret },
  });
  t.is((await readAll(withCredential, "k")).toString(), "bytes");
  t.deepEqual(
    keystone.asked.find((body) => JSON.stringify(body).includes("application")),
    {
      auth: {
        identity: {
          methods: ["application_credential"],
          application_credential: { id: "i", secret: keystone.secret },
        },
      },
    },
  );
  const elsewhere = new SwiftStore({ ...v3, region: "nowhere" });
  const error = await refused(t, "STORE_FAILED", () => elsewhere.list(""));
  t.true(error.message.includes("nowhere"));
});

test("an expired token is renewed once for all calls", async (t) => {
  const keystone = await Keystone.start();
  t.teardown(() => keystone.stop());
  const auth = { ...password, url: keystone.url };
  const store = new SwiftStore({ ...v3, auth, prefix: "renewed" });
  await store.put("k", Buffer.from("bytes"));
  keystone.expired.add("token-1");
  const reads = await Promise.all([1, 2, 3, 4].map(() => readAll(store, "k")));
  for (const read of reads) t.is(read.toString(), "bytes");
  t.is(keystone.asked.length, 2);
});

test("an aborted wait for a token does not affect other callers", async (t) => {
  const { origin, pathname } = new URL(auth.url);
  const proxy = await FaultyProxy.start(origin);
  const at = { endpoint: `${proxy.url}/swift/v1`, auth: { ...auth, url: proxy.url + pathname } };
  const store = new SwiftStore({ ...config, ...at, prefix: "shared" });
  t.teardown(async () => {
    await store.close();
    await proxy.close();
  });
  const slowly = (path: string) => {
    const controller = new AbortController();
    proxy.plan = ({ url }) => {
      if (!url.endsWith(path)) return undefined;
      setTimeout(() => controller.abort(), 10);
      return { kind: "slow", ms: 500 };
    };
    return controller.signal;
  };
  const asked = (path: string) => proxy.log.filter(({ url }) => url.endsWith(path)).length;
  const token = slowly(pathname);
  const first = t.throwsAsync(store.head("k", token), { instanceOf: InterruptedError });
  t.is(await store.head("k"), undefined);
  await first;
  t.is(asked(pathname), 1);

  const bytes = randomBytes(SIZE);
  const facts = { parts: 3, size: SIZE, sha256: createHash("sha256").update(bytes).digest("hex") };
  const uploads = await Promise.all(
    ["j", "k"].map(async (key) => {
      const upload = await store.startUpload(key, { partBytes: PART });
      for (const n of [0, 1, 2]) await upload.part(n, bytes.subarray(n * PART, (n + 1) * PART));
      return upload;
    }),
  );
  const info = slowly("/info");
  const given = t.throwsAsync(async () => uploads[0]?.complete(facts, info), {
    instanceOf: InterruptedError,
  });
  await uploads[1]?.complete(facts);
  await given;
  t.is(asked("/info"), 1);
  t.true((await readAll(store, "k")).equals(bytes));
  await uploads[0]?.abort();
});

test("wrong credentials, a missing container and a missing server have distinct codes", async (t) => {
  const stranger = new SwiftStore({ ...config, auth: { ...auth, key: "wrong-key" } });
  const error = await refused(t, "STORE_CREDENTIALS", () => stranger.put("k", Buffer.from("x")));
  t.false(`${error.message} ${error.hint}`.includes("wrong-key"));
  await refused(t, "STORE_CREDENTIALS", () => stranger.head("k"));
  const other = new SwiftStore({ ...v3, auth: { ...password, password: "wrong" } });
  await refused(t, "STORE_CREDENTIALS", () => other.list(""));
  const nowhere = new SwiftStore({ ...config, container: "missing" });
  await refused(t, "STORE_NOT_FOUND", () => nowhere.head("k"));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.list(""));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.put("k", Buffer.from("x")));
  const gone = new SwiftStore({ ...config, auth: { ...auth, url: "http://127.0.0.1:1/auth" } });
  await refused(t, "STORE_TRANSIENT", () => gone.head("k"));
});

test("abort keeps the segments of an object that may exist, and prune those of one that exists", async (t) => {
  const name = `${container}-unsure`;
  await newSwiftContainer(name);
  const proxy = await FaultyProxy.start(new URL(auth.url).origin);
  const endpoint = `${proxy.url}/swift/v1`;
  const store = new SwiftStore({ ...config, container: name, endpoint });
  t.teardown(async () => {
    await store.close();
    await proxy.close();
  });
  const bytes = randomBytes(SIZE);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const facts = { parts: 3, size: SIZE, sha256 };
  const later = () => new Date(Date.now() + 60_000);
  const begin = async () => {
    const upload = await store.startUpload("k", { partBytes: PART });
    for (const n of [0, 1, 2]) await upload.part(n, bytes.subarray(n * PART, (n + 1) * PART));
    return upload;
  };
  const manifests = (fault: Fault) => {
    proxy.plan = ({ url }) => (url.includes("multipart-manifest=put") ? fault : undefined);
  };

  manifests({ kind: "status", status: 403 });
  const forbidden = await begin();
  await refused(t, "STORE_CREDENTIALS", () => forbidden.complete(facts));
  await forbidden.abort();
  t.deepEqual(await names(name), [], "nothing stands: the segments go");

  manifests({ kind: "drop" });
  const dropped = await begin();
  await refused(t, "STORE_TRANSIENT", () => dropped.complete(facts));
  manifests({ kind: "status", status: 403 });
  await refused(t, "STORE_CREDENTIALS", () => dropped.complete(facts));
  await dropped.abort();
  t.is((await names(name)).length, 3, "the first try may have made the object");
  t.is(await store.abortStaleUploads("", later()), 1);
  t.deepEqual(await names(name), []);

  manifests({ kind: "lose-answer" });
  const lost = await begin();
  await refused(t, "STORE_TRANSIENT", () => lost.complete(facts));
  await lost.abort();
  t.true((await readAll(store, "k")).equals(bytes));
  await refused(t, "STORE_FAILED", () => lost.complete(facts));

  const other = await store.startUpload("k", { partBytes: PART });
  await other.part(0, bytes.subarray(0, PART));
  t.is((await names(name)).length, 5);
  t.is(await store.abortStaleUploads("", later()), 1);
  t.is((await names(name)).length, 4);
  t.true((await readAll(store, "k")).equals(bytes));

  const again = await begin();
  await refused(t, "STORE_TRANSIENT", () => again.complete(facts));
  await again.complete(facts);
  await again.abort();
  t.is(await store.abortStaleUploads("", later()), 1, "the one that was replaced");
  t.is((await names(name)).length, 4);
  t.true((await readAll(store, "k")).equals(bytes));
});

test("a truncated response is retryable", async (t) => {
  const proxy = await FaultyProxy.start(new URL(auth.url).origin);
  const endpoint = `${proxy.url}/swift/v1`;
  const store = new SwiftStore({ ...config, prefix: "cut", endpoint });
  t.teardown(async () => {
    await store.close();
    await proxy.close();
  });
  await store.put("k", randomBytes(1000));
  const cut = { kind: "cut-answer", after: 1 } as const;
  const notWhole = { kind: "status", status: 200, body: '[{"name":' } as const;
  for (const fault of [cut, notWhole]) {
    proxy.plan = () => fault;
    await refused(t, "STORE_TRANSIENT", () => store.list(""));
    await refused(t, "STORE_TRANSIENT", () => store.abortStaleUploads("", new Date()));
  }
  proxy.plan = () => cut;
  await refused(t, "STORE_TRANSIENT", () => readAll(store, "k"));
  await refused(t, "STORE_TRANSIENT", () => readAll(store, "k", { offset: 2000 }));
  await refused(t, "STORE_TRANSIENT", () => readAll(store, "k", { ifTag: "another" }));
});

const PART = 1 << 20;
const SIZE = 2 * PART + 5;

async function upload(t: ExecutionContext, store: SnapStore, key: string): Promise<void> {
  const bytes = randomBytes(SIZE);
  const upload = await store.startUpload(key, { partBytes: PART });
  for (const number of [2, 0, 1]) {
    await upload.part(number, bytes.subarray(number * PART, (number + 1) * PART));
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  await upload.complete({ parts: 3, size: SIZE, sha256 });
  t.true((await readAll(store, key)).equals(bytes));
  t.deepEqual(
    await readAll(store, key, { offset: PART - 3, length: 6 }),
    bytes.subarray(PART - 3, PART + 3),
  );
  const head = await store.head(key);
  t.is(head?.sha256, sha256);
  t.is(head?.size, SIZE);
}

/** All objects in a container, as radosgw lists them. */
async function names(container: string): Promise<string[]> {
  const { token, storageUrl } = await radosgwToken();
  const answer = await fetch(`${storageUrl}/${container}`, { headers: { "X-Auth-Token": token } });
  return (await answer.text()).split("\n").filter((name) => name !== "");
}

test("a custom CA is trusted for tokens and objects, and not by other stores", async (t) => {
  const authority = new Authority(newFolder(), "ours");
  const front = await TlsFront.start(
    new URL(auth.url).origin,
    authority.sign("radosgw", "IP:127.0.0.1"),
  );
  t.teardown(() => front.close());
  const behind: SwiftConfig = {
    ...config,
    auth: { ...auth, url: `${front.url}${new URL(auth.url).pathname}` },
    endpoint: `${front.url}/swift/v1`,
  };
  const caCertificate = readFileSync(authority.cacert, "utf8");
  const trusting = new SwiftStore({ ...behind, caCertificate });
  const careless = new SwiftStore({ ...behind, insecureSkipVerify: true });
  const other = new SwiftStore(behind);
  t.teardown(() => Promise.all([trusting.close(), careless.close(), other.close()]));
  await trusting.put("tls", Buffer.from("sealed"));
  t.is((await readAll(trusting, "tls")).toString(), "sealed");
  t.is((await careless.head("tls"))?.size, 6);
  const error = await refused(t, "STORE_FAILED", () => other.head("tls"));
  t.regex(error.message, /certificate/);
  // The token is requested without TLS, the objects with it.
  const half = new SwiftStore({ ...behind, auth });
  t.teardown(() => half.close());
  await refused(t, "STORE_FAILED", () => half.head("tls"));
});
