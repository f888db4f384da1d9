import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { GcsConfig } from "../../../src/snapstore/config.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { GcsBucket } from "../../../src/snapstore/gcs/bucket.js";
import { GcsStore } from "../../../src/snapstore/gcs/store.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { newFolder } from "../../support/folders.js";
import { GcsEmulator } from "../../support/stores/gcs-emulator.js";
import { conformance, readAll, refused } from "../conformance.js";

const emulator = await GcsEmulator.start();
test.after.always(() => emulator.stop());
const config: GcsConfig = {
  provider: "GCS",
  container: "backups",
  prefix: "",
  endpoint: emulator.url,
  anonymous: true,
};
const privateKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();

const NAME = "GCS, against an emulator of its protocol";

conformance(NAME, async (prefix) => new GcsStore({ ...config, prefix }), {
  findsStaleUploads: false,
});

const PART = 512 << 10;

test(`${NAME}: an upload continues where the connection broke`, async (t) => {
  const own = await GcsEmulator.start();
  t.teardown(() => own.stop());
  const store = new GcsStore({ ...config, endpoint: own.url });
  const bytes = randomBytes(2 * PART + 1000);
  const upload = await store.startUpload("k", { partBytes: PART, ifAbsent: true });
  const send = (n: number) => upload.part(n, bytes.subarray(n * PART, (n + 1) * PART));
  let left = 0;
  own.disturb = (question, answer) => {
    if (question.method !== "PUT" || left-- <= 0) return false;
    answer.destroy();
    return true;
  };
  for (const n of [0, 1, 2]) {
    left = 1;
    if (n < 2) await refused(t, "STORE_TRANSIENT", () => send(n));
    left = 0;
    await send(n);
  }
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const facts = { parts: 3, size: bytes.length, sha256 };
  left = 1;
  await refused(t, "STORE_TRANSIENT", () => upload.complete(facts));
  await upload.complete(facts);
  t.true((await readAll(store, "k")).equals(bytes));
});

test(`${NAME}: an upload completes although its last response was lost`, async (t) => {
  const own = await GcsEmulator.start();
  t.teardown(() => own.stop());
  const store = new GcsStore({ ...config, endpoint: own.url });
  const bytes = randomBytes(PART + 7);
  const upload = await store.startUpload("k", { partBytes: PART });
  // Half of a part arrives, and the response is lost.
  await upload.part(0, bytes.subarray(0, PART));
  own.disturb = (question, answer) => {
    if (!question.headers["content-range"]?.startsWith(`bytes ${PART}-`)) return false;
    own.disturb = () => false;
    const session = [...own.sessions.values()][0];
    if (session) session.bytes = Buffer.concat([session.bytes, bytes.subarray(PART, PART + 3)]);
    answer.destroy();
    return true;
  };
  await upload.part(1, bytes.subarray(PART));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const facts = { parts: 2, size: bytes.length, sha256 };
  await refused(t, "STORE_TRANSIENT", () => upload.complete(facts));
  await upload.complete(facts);
  t.true((await readAll(store, "k")).equals(bytes));
});

test(`${NAME}: a truncated response is retryable`, async (t) => {
  const own = await GcsEmulator.start();
  t.teardown(() => own.stop());
  const proxy = await FaultyProxy.start(own.url);
  const store = new GcsStore({ ...config, endpoint: proxy.url });
  t.teardown(async () => {
    await store.close();
    await proxy.close();
  });
  await store.put("k", randomBytes(1000));
  const cut = { kind: "cut-answer", after: 5 } as const;
  const notWhole = { kind: "status", status: 200, body: '{"items":' } as const;
  for (const fault of [cut, notWhole]) {
    proxy.plan = () => fault;
    await refused(t, "STORE_TRANSIENT", () => store.list(""));
    await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  }
  proxy.plan = () => cut;
  await refused(t, "STORE_TRANSIENT", () => store.put("k", Buffer.from("x")));
  await refused(t, "STORE_TRANSIENT", () => store.head("missing"));
  await refused(t, "STORE_TRANSIENT", () => store.delete("missing"));
  await refused(t, "STORE_TRANSIENT", () => readAll(store, "k", { offset: 2000 }));

  const disturbing = (status: number) => {
    own.disturb = ({ method }, answer) => {
      if (method !== "PUT" && method !== "POST") return false;
      answer.writeHead(status, { "content-length": 100, location: own.url });
      answer.write("{");
      setTimeout(() => answer.destroy(), 5);
      return true;
    };
  };
  proxy.plan = () => undefined;
  const options = { partBytes: PART };
  disturbing(200);
  await refused(t, "STORE_TRANSIENT", () => store.startUpload("u", options));
  own.disturb = () => false;
  const bytes = randomBytes(PART);
  const upload = await store.startUpload("u", options);
  for (const status of [308, 404]) {
    disturbing(status);
    await refused(t, "STORE_TRANSIENT", () => upload.part(0, bytes));
  }
  own.disturb = () => false;
  await upload.part(0, bytes);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const facts = { parts: 1, size: PART, sha256 };
  disturbing(200);
  await refused(t, "STORE_TRANSIENT", () => upload.complete(facts));
  own.disturb = () => false;
  await upload.complete(facts);
  t.true((await readAll(store, "u")).equals(bytes));
});

test(`${NAME}: an object under retention is immutable, and has the end of its retention`, async (t) => {
  const store = new GcsStore(config);
  await store.put("kept", Buffer.from("x"));
  const until = "2099-01-01T00:00:00.000Z";
  Object.assign(emulator.objects.get("kept") ?? {}, { retentionExpirationTime: until });
  t.is((await store.head("kept"))?.lockedUntil?.toISOString(), until);
  t.is(store.capabilities.locks, "listing");
  const { objects } = await store.list("");
  t.is(objects.find(({ key }) => key === "kept")?.lockedUntil?.toISOString(), until);
  await refused(t, "STORE_IMMUTABLE", () => store.delete("kept"));
  await refused(t, "STORE_IMMUTABLE", () => store.put("kept", Buffer.from("y")));
});

test(`${NAME}: error responses have distinct codes`, async (t) => {
  const own = await GcsEmulator.start();
  t.teardown(() => own.stop());
  const store = new GcsStore({ ...config, endpoint: own.url });
  for (const [status, reason, code] of [
    [429, "rateLimitExceeded", "STORE_THROTTLED"],
    [403, "userRateLimitExceeded", "STORE_THROTTLED"],
    [503, "backendError", "STORE_THROTTLED"],
    [500, "backendError", "STORE_TRANSIENT"],
    [401, "authError", "STORE_CREDENTIALS"],
    [403, "forbidden", "STORE_CREDENTIALS"],
    [403, "objectUnderActiveHold", "STORE_IMMUTABLE"],
  ] as const) {
    own.disturb = (_, answer) => {
      answer.writeHead(status, { "retry-after": "7" });
      answer.end(JSON.stringify({ error: { message: "no", errors: [{ reason }] } }));
      return true;
    };
    const error = await refused(t, code, () => store.put("k", Buffer.from("x")));
    t.is(error.retryAfterMs, 7000);
  }
});

test(`${NAME}: a service account's key signs requests, and another key is rejected`, async (t) => {
  const credentials = {
    type: "service_account",
    client_email: "backup@project.iam.example.org",
    private_key: privateKey,
    // Outside of Google's universe domain the signed JWT itself is the token: no request is made.
    universe_domain: "example.org",
  };
  const store = new GcsStore({ ...config, anonymous: false, credentials });
  await store.put("authorized", Buffer.from("x"));
  const token = [...emulator.authorizations].find((header) => header.startsWith("Bearer ey"));
  const [, claims = ""] = token?.split(".") ?? [];
  t.is(JSON.parse(Buffer.from(claims, "base64url").toString()).iss, credentials.client_email);

  const broken = { ...credentials, private_key: "secret nonsense" };
  const other = new GcsStore({ ...config, anonymous: false, credentials: broken });
  const error = await refused(t, "STORE_CREDENTIALS", () => other.list(""));
  t.false(`${error.message} ${error.hint}`.includes("nonsense"));
});

/** Credentials of an external account, whose token is exchanged for one of Google. */
function externalAccount({ url }: GcsEmulator) {
  const file = join(newFolder(), "subject-token");
  writeFileSync(file, "subject");
  return {
    type: "external_account",
    audience:
      "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    token_url: `${url}/token`,
    credential_source: { file },
  };
}

test(`${NAME}: an external account gets its token from the endpoint in its file`, async (t) => {
  const credentials = externalAccount(emulator);
  const store = new GcsStore({ ...config, anonymous: false, credentials });
  await store.put("external", Buffer.from("x"));
  t.true(emulator.authorizations.has("Bearer emulated-token"));
});

test(`${NAME}: a missing bucket and a missing server have distinct codes`, async (t) => {
  const nowhere = new GcsStore({ ...config, container: "missing" });
  await refused(t, "STORE_NOT_FOUND", () => nowhere.list(""));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.head("k"));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.put("k", Buffer.from("x")));
  const gone = new GcsStore({ ...config, endpoint: "http://127.0.0.1:1" });
  const error = await t.throwsAsync(gone.head("k"), { instanceOf: StoreError });
  t.is(error.code, "STORE_TRANSIENT");
});

test(`${NAME}: a token request that hangs is aborted and repeated`, async (t) => {
  let asked = 0;
  let ended = 0;
  const own = await GcsEmulator.start();
  t.teardown(() => own.stop());
  own.disturb = (question, answer) => {
    if (question.url !== "/token" || ++asked > 1) return false;
    answer.once("close", () => {
      ended++;
    });
    return true;
  };
  const credentials = externalAccount(own);
  const deadlines = { connectMs: 10_000, idleMs: 2000 };
  const access = { ...config, endpoint: own.url, anonymous: false, credentials };
  const api = new GcsBucket(access, "gs://backups", deadlines);
  t.teardown(() => api.close());
  const list = () => api.call({ method: "GET", url: api.url(), key: "" });
  await refused(t, "STORE_TRANSIENT", list);
  t.true((await list()).ok);
  t.is(asked, 2);
  t.is(ended, 1, "the first call still hangs");
});
