import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import {
  HeadObjectCommand,
  PutObjectLegalHoldCommand,
  PutObjectLockConfigurationCommand,
} from "@aws-sdk/client-s3";
import { fromTemporaryCredentials } from "@aws-sdk/credential-providers";
import test, { type ExecutionContext } from "ava";
import type { S3Config } from "../../../src/snapstore/config.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { uploadStream } from "../../support/stores/upload-stream.js";
import { env } from "../../support/program/backuptool.js";
import { Authority } from "../../support/network/certificates.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";
import { newBucket, plainClient, radosgw, s3Config } from "../../support/stores/s3-buckets.js";
import { TlsFront } from "../../support/network/tls-front.js";
import { conformance, readAll, refused } from "../conformance.js";

const bucket = await newBucket();
const { accessKeyId, secretAccessKey } = radosgw().credentials;

conformance("S3 on radosgw", async (prefix) => new S3Store(s3Config(bucket, { prefix })), {
  secrets: [accessKeyId, secretAccessKey],
});

/** A store that is closed after the test. */
function storeOf(
  t: ExecutionContext<unknown>,
  more: Partial<S3Config> = {},
  deadlines = { connectMs: 30_000, idleMs: 30_000 },
): S3Store {
  const prefix = randomBytes(6).toString("hex");
  const store = new S3Store(s3Config(bucket, { prefix, ...more }), deadlines);
  t.teardown(() => store.close());
  return store;
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function upload(store: S3Store, key: string, bytes: Uint8Array): Promise<number> {
  return uploadStream(store, key, one(bytes), { sha256: () => "" });
}

test("wrong credentials have their own code, and are not in the message", async (t) => {
  const wrong = { accessKeyId, secretAccessKey: "thewrongsecretkey" };
  const unknown = { accessKeyId: "UNKNOWNKEY", secretAccessKey };
  for (const credentials of [wrong, unknown, { ...wrong, sessionToken: "nonsense" }]) {
    const store = storeOf(t, { credentials });
    for (const call of [
      () => store.list(""),
      () => store.head("k"),
      () => store.put("k", Buffer.from("x")),
      () => readAll(store, "k"),
      () => store.delete("k"),
      () => store.startUpload("k", { partBytes: 5 << 20 }),
    ]) {
      const error = await refused(t, "STORE_CREDENTIALS", call);
      t.regex(error.hint ?? "", /keys/);
      t.false(error.message.includes(credentials.secretAccessKey));
    }
  }
});

test("a missing bucket is not found", async (t) => {
  const store = storeOf(t, { container: "no-such-bucket" });
  const error = await refused(t, "STORE_NOT_FOUND", () => store.list(""));
  t.regex(error.hint ?? "", /bucket/);
  await refused(t, "STORE_NOT_FOUND", () => store.put("k", Buffer.from("x")));
  await refused(t, "STORE_NOT_FOUND", () => readAll(store, "k"));
});

test("an unreachable or silent server is a retryable failure", async (t) => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  t.teardown(() => silent.close());
  const { port } = silent.address() as AddressInfo;
  const deadlines = { connectMs: 300, idleMs: 400 };
  for (const endpoint of [
    "http://127.0.0.1:1",
    `http://127.0.0.1:${port}`,
    `https://127.0.0.1:${port}`,
    "http://no-such-host.invalid",
  ]) {
    const store = storeOf(t, { endpoint }, deadlines);
    await refused(t, "STORE_TRANSIENT", () => store.list(""));
    await refused(t, "STORE_TRANSIENT", () => store.put("k", Buffer.alloc(100_000)));
  }
});

test("a stalled read ends at the deadline, but not because of a slow consumer", async (t) => {
  const store = storeOf(t);
  const bytes = randomBytes(4 << 20);
  await store.put("k", bytes);
  const proxy = await FaultyProxy.start(radosgw().endpoint, () => ({
    kind: "stall-answer",
    after: 1 << 20,
  }));
  t.teardown(() => proxy.close());
  const { place } = store;
  const prefix = place.slice(place.lastIndexOf("/") + 1);
  const deadlines = { connectMs: 300, idleMs: 400 };
  const stalled = storeOf(t, { prefix, endpoint: proxy.url }, deadlines);
  await refused(t, "STORE_TRANSIENT", () => readAll(stalled, "k"));

  // Longer than a busy radosgw needs. From 6 s on the SDK sets its own timeout, 3 s after the request.
  const patient = storeOf(t, { prefix }, { connectMs: 15_000, idleMs: 7000 });
  let got = 0;
  for await (const piece of patient.get("k")) {
    if (got === 0) await new Promise((resolve) => setTimeout(resolve, 12_000));
    got += piece.length;
  }
  t.is(got, bytes.length);
});

test("objects under a customer key are only readable with that key", async (t) => {
  const prefix = randomBytes(6).toString("hex");
  const sse = { kind: "customer", key: randomBytes(32) } as const;
  const store = storeOf(t, { prefix, sse });
  const bytes = randomBytes((6 << 20) + 5);
  await store.put("small", bytes.subarray(0, 1000));
  await upload(store, "large", bytes);
  t.true((await readAll(store, "large")).equals(bytes));
  const range = { offset: (5 << 20) - 5, length: 10 };
  t.true(
    (await readAll(store, "large", range)).equals(bytes.subarray(range.offset).subarray(0, 10)),
  );
  t.is((await store.head("large"))?.size, bytes.length);
  const other = { kind: "customer", key: randomBytes(32) } as const;
  for (const stranger of [storeOf(t, { prefix }), storeOf(t, { prefix, sse: other })]) {
    for (const key of ["small", "large"]) {
      const error = await t.throwsAsync(readAll(stranger, key));
      t.false(error.message.includes(sse.key.toString("base64")));
    }
    t.is((await stranger.list("")).objects.length, 2);
  }
});

test("objects are encrypted with a key of the key service", async (t) => {
  const prefix = randomBytes(6).toString("hex");
  const store = storeOf(t, { prefix, sse: { kind: "kms", keyId: "testkey" } });
  const bytes = randomBytes((5 << 20) + 5);
  await store.put("small", bytes.subarray(0, 1000));
  await upload(store, "large", bytes);
  t.true((await readAll(store, "large")).equals(bytes));
  const client = plainClient();
  for (const key of ["small", "large"]) {
    const command = new HeadObjectCommand({ Bucket: bucket, Key: `${prefix}/${key}` });
    const head = await client.send(command);
    t.is(head.ServerSideEncryption, "aws:kms");
    t.is(head.SSEKMSKeyId, "testkey");
  }
  client.destroy();
  const wrong = storeOf(t, { sse: { kind: "kms", keyId: "no such key" } });
  // radosgw says InvalidAccessKeyId.
  await refused(t, "STORE_CREDENTIALS", () => wrong.put("k", Buffer.from("x")));
});

test("any storage class is sent, and the server checks it", async (t) => {
  const store = storeOf(t, { storageClass: "STANDARD" });
  await store.put("k", Buffer.from("x"));
  await upload(store, "large", Buffer.alloc((5 << 20) + 1));
  const unknown = storeOf(t, { storageClass: "NO_SUCH_CLASS" });
  await refused(t, "STORE_FAILED", () => unknown.put("k", Buffer.from("x")));
  await refused(t, "STORE_FAILED", () => unknown.startUpload("k", { partBytes: 5 << 20 }));
});

test("a locked object is neither overwritten nor deleted nor hidden", async (t) => {
  const container = await newBucket({ objectLock: true });
  const client = plainClient();
  const store = storeOf(t, { container });
  const { prefix } = { prefix: store.place.slice(store.place.lastIndexOf("/") + 1) };
  await store.put("free", Buffer.from("free"));
  await store.put("held", Buffer.from("held"));
  await client.send(
    new PutObjectLegalHoldCommand({
      Bucket: container,
      Key: `${prefix}/held`,
      LegalHold: { Status: "ON" },
    }),
  );
  const Rule = { DefaultRetention: { Mode: "COMPLIANCE", Days: 1 } } as const;
  await client.send(
    new PutObjectLockConfigurationCommand({
      Bucket: container,
      ObjectLockConfiguration: { ObjectLockEnabled: "Enabled", Rule },
    }),
  );
  client.destroy();
  await store.put("locked", Buffer.from("locked"));
  await upload(store, "large", Buffer.alloc((5 << 20) + 1));

  const until = (await store.head("locked"))?.lockedUntil?.getTime() ?? 0;
  t.true(Math.abs(until - Date.now() - 86_400_000) < 3_600_000);
  t.true(((await store.head("held"))?.lockedUntil?.getTime() ?? 0) > until);
  t.is((await store.head("free"))?.lockedUntil, undefined);
  for (const key of ["held", "locked", "large"]) {
    const error = await refused(t, "STORE_IMMUTABLE", () => store.delete(key));
    t.true(error.message.includes(key));
    await refused(t, "STORE_IMMUTABLE", () => store.put(key, Buffer.from("other")));
    await refused(t, "STORE_IMMUTABLE", () => store.startUpload(key, { partBytes: 5 << 20 }));
    await refused(t, "STORE_EXISTS", () => store.put(key, Buffer.from("x"), { ifAbsent: true }));
  }
  t.is((await readAll(store, "locked")).toString(), "locked");
  await store.delete("free");
  t.is(await store.head("free"), undefined);
});

test("a bucket at its quota is full", async (t) => {
  const container = await newBucket();
  const store = storeOf(t, { container });
  await store.put("k", Buffer.from("x"));
  const admin = async (...args: string[]) => {
    const cluster = ["-c", env("CEPH_CONF"), "-n", "client.rgw.a"];
    const { code, stderr } = await runProcess("radosgw-admin", [...cluster, ...args]);
    t.is(code, 0, stderr);
  };
  const scope = ["--quota-scope=bucket", `--bucket=${container}`];
  await admin("quota", "set", ...scope, "--max-objects=1");
  await admin("quota", "enable", ...scope);
  const error = await refused(t, "STORE_FULL", () => store.put("j", Buffer.from("x")));
  t.regex(error.message, /QuotaExceeded/);
});

test("a custom CA is trusted by its store, and by no other", async (t) => {
  const authority = new Authority(newFolder(), "ours");
  const front = await TlsFront.start(radosgw().endpoint, authority.sign("radosgw", "IP:127.0.0.1"));
  t.teardown(() => front.close());
  const ca = { caCertificate: readFileSync(authority.cacert, "utf8") };
  const trusting = storeOf(t, { endpoint: front.url, ...ca });
  const bytes = randomBytes((6 << 20) + 5);
  await upload(trusting, "k", bytes);
  t.true((await readAll(trusting, "k")).equals(bytes));

  const careful = storeOf(t, { endpoint: front.url });
  const error = await refused(t, "STORE_FAILED", () => careful.list(""));
  t.regex(error.message, /certificate/);
  const other = new Authority(newFolder(), "theirs");
  const misled = { caCertificate: readFileSync(other.cacert, "utf8") };
  await refused(t, "STORE_FAILED", () => storeOf(t, { endpoint: front.url, ...misled }).list(""));

  const careless = storeOf(t, { endpoint: front.url, insecureSkipVerify: true });
  await careless.put("k", Buffer.from("x"));
  t.is((await careless.head("k"))?.size, 1);
  await refused(t, "STORE_FAILED", () => careful.list(""));

  const misnamed = authority.sign("elsewhere", "DNS:elsewhere.example");
  const elsewhere = await TlsFront.start(radosgw().endpoint, misnamed);
  t.teardown(() => elsewhere.close());
  await refused(t, "STORE_FAILED", () => storeOf(t, { endpoint: elsewhere.url, ...ca }).list(""));
});

test("two stores with different keys can be open at the same time", async (t) => {
  const theirs = await newBucket({ user: "two" });
  const { credentials } = radosgw("two");
  const [first, second] = [storeOf(t), storeOf(t, { container: theirs, credentials })];
  await Promise.all(
    Array.from({ length: 20 }, async (_, i) => {
      await first.put(`k${i}`, Buffer.from(`first ${i}`));
      await second.put(`k${i}`, Buffer.from(`second ${i}`));
    }),
  );
  t.is((await readAll(first, "k7")).toString(), "first 7");
  t.is((await readAll(second, "k7")).toString(), "second 7");
  await refused(t, "STORE_CREDENTIALS", () => storeOf(t, { container: theirs }).list(""));
  await refused(t, "STORE_CREDENTIALS", () => storeOf(t, { credentials }).list(""));
});

test("objects are asked for locks before a deletion only where the bucket may have some", async (t) => {
  for (const isDenied of [false, true]) {
    const proxy = await FaultyProxy.start(radosgw().endpoint, ({ url }) =>
      isDenied && url.includes("object-lock") ? { kind: "status", status: 403 } : undefined,
    );
    t.teardown(() => proxy.close());
    const store = storeOf(t, { endpoint: proxy.url });
    const keys = ["a", "b", "c"];
    for (const key of keys) await store.put(key, Buffer.from(key));
    proxy.log.length = 0;
    await Promise.all(keys.map((key) => store.delete(key)));
    const sent = proxy.log.map(({ method }) => method).sort();
    const heads = isDenied ? ["HEAD", "HEAD", "HEAD"] : [];
    t.deepEqual(sent, ["DELETE", "DELETE", "DELETE", "GET", ...heads]);
    t.deepEqual((await store.list("")).objects, []);
  }
});

test("a server that wants Content-MD5 gets it", async (t) => {
  const body =
    "<?xml version='1.0'?><Error><Code>InvalidRequest</Code><Message>Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters</Message></Error>";
  const proxy = await FaultyProxy.start(radosgw().endpoint, ({ method, headers }) =>
    method === "PUT" && headers["content-md5"] === undefined
      ? { kind: "status", status: 400, body }
      : undefined,
  );
  t.teardown(() => proxy.close());
  const store = storeOf(t, { endpoint: proxy.url });
  const bytes = randomBytes((11 << 20) + 5);
  await store.put("k", bytes.subarray(0, 10));
  await upload(store, "large", bytes);
  t.true((await readAll(store, "large")).equals(bytes));
  t.is(proxy.log.filter(({ fault }) => fault !== undefined).length, 1);
});

test("a response that is not S3 is retryable, and an error without XML is mapped by its status", async (t) => {
  const proxy = await FaultyProxy.start(radosgw().endpoint);
  t.teardown(() => proxy.close());
  const store = storeOf(t, { endpoint: proxy.url });
  const page = "<html><body>Bad gateway</body>";
  for (const [status, code] of [
    [200, "STORE_TRANSIENT"],
    [502, "STORE_TRANSIENT"],
    [429, "STORE_THROTTLED"],
    [403, "STORE_CREDENTIALS"],
    [507, "STORE_FULL"],
    [400, "STORE_FAILED"],
  ] as const) {
    proxy.plan = () => ({ kind: "status", status, body: page });
    await refused(t, code, () => store.list(""));
  }
});

test("a truncated listing without a continuation token is an error", async (t) => {
  const proxy = await FaultyProxy.start(radosgw().endpoint);
  t.teardown(() => proxy.close());
  const store = storeOf(t, { endpoint: proxy.url });
  // The response to ListObjects, the older call, which may have a NextMarker.
  const answered = (truncated: boolean, more = "") => {
    const body = `<?xml version="1.0"?><ListBucketResult><IsTruncated>${truncated}</IsTruncated>${more}</ListBucketResult>`;
    proxy.plan = () => ({ kind: "status", status: 200, body });
  };
  for (const more of ["", "<NextMarker>k</NextMarker>"]) {
    answered(true, more);
    const error = await refused(t, "STORE_FAILED", () => store.list(""));
    t.regex(error.hint ?? "", /ListObjectsV2/);
  }
  answered(false);
  t.deepEqual(await store.list(""), { objects: [], folders: [] });
  const body =
    '<?xml version="1.0"?><ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>';
  proxy.plan = () => ({ kind: "status", status: 200, body });
  await refused(t, "STORE_FAILED", () => store.abortStaleUploads("", new Date()));
});

test("a role is assumed, and its session token is sent", async (t) => {
  const { credentials } = radosgw("two");
  const proxy = await FaultyProxy.start(radosgw().endpoint);
  t.teardown(() => proxy.close());
  await refused(t, "STORE_CREDENTIALS", () => storeOf(t, { credentials }).put("k", Buffer.of(1)));
  const store = storeOf(t, { credentials, roleArn: env("S3_ROLE2"), endpoint: proxy.url });
  await store.put("k", Buffer.from("x"));
  t.is((await readAll(store, "k")).toString(), "x");
  // The first request asks for the token.
  const tokens = proxy.log.map(({ headers }) => headers["x-amz-security-token"]);
  t.is(tokens[0], undefined);
  t.is(new Set(tokens.slice(1)).size, 1);
  t.truthy(tokens[1]);

  const unknown = storeOf(t, { credentials, roleArn: "arn:aws:iam:::role/unknown" });
  await t.throwsAsync(unknown.list(""), { instanceOf: StoreError });
});

test("a web identity's token file is exchanged for a session (the token service is an emulator)", async (t) => {
  const { endpoint, credentials } = radosgw("two");
  const session = await fromTemporaryCredentials({
    params: { RoleArn: env("S3_ROLE2"), RoleSessionName: "test" },
    masterCredentials: credentials,
    clientConfig: { endpoint, region: "us-east-1" },
  })();
  const proxy = await FaultyProxy.start(endpoint);
  t.teardown(() => proxy.close());
  // radosgw would verify the token with an OpenID provider: here the response is a session of an existing role.
  const body = `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleWithWebIdentityResult><Credentials>
      <AccessKeyId>${session.accessKeyId}</AccessKeyId>
      <SecretAccessKey>${session.secretAccessKey}</SecretAccessKey>
      <SessionToken>${session.sessionToken}</SessionToken>
      <Expiration>${session.expiration?.toISOString()}</Expiration>
    </Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`;
  proxy.plan = ({ method, url }) =>
    method === "POST" && url === "/" ? { kind: "status", status: 200, body } : undefined;
  const webIdentityTokenFile = join(newFolder(), "token");
  writeFileSync(webIdentityTokenFile, "a.web.token");
  const identity = {
    credentials: undefined,
    roleArn: env("S3_ROLE2"),
    webIdentityTokenFile,
    endpoint: proxy.url,
  };
  const store = storeOf(t, identity);
  await store.put("web", Buffer.from("x"));
  t.is((await readAll(store, "web")).toString(), "x");
  const [asked, ...others] = proxy.log;
  t.is(asked?.headers.authorization, undefined, "nothing signs the first request");
  for (const { headers } of others) t.is(headers["x-amz-security-token"], session.sessionToken);

  const gone = storeOf(t, { ...identity, webIdentityTokenFile: join(newFolder(), "gone") });
  await t.throwsAsync(gone.list(""), { instanceOf: StoreError, message: /gone/ });
});
