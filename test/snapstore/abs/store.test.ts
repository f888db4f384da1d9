import { createHash, randomBytes } from "node:crypto";
import { ContainerSASPermissions } from "@azure/storage-blob";
import test from "ava";
import { AbsStore } from "../../../src/snapstore/abs/store.js";
import type { AbsConfig } from "../../../src/snapstore/config.js";
import { Azurite } from "../../support/stores/azurite.js";
import { FaultyProxy } from "../../support/network/faulty-proxy.js";
import { conformance, readAll, refused } from "../conformance.js";

const azurite = await Azurite.start();
const container = await azurite.newContainer("backups");
const { account, key, endpoint } = azurite;
test.after.always(() => azurite.stop());

const credentials = { kind: "shared-key", account, key } as const;
const config: AbsConfig = {
  provider: "ABS",
  container: "backups",
  prefix: "",
  endpoint,
  credentials,
};

conformance("ABS on azurite", async (prefix) => new AbsStore({ ...config, prefix }), {
  secrets: [key],
  // Azure replaces backslashes by slashes.
  impossibleKeys: ["back\\slash"],
});

test("a key with a backslash is rejected", async (t) => {
  const store = new AbsStore(config);
  await refused(t, "STORE_FAILED", () => store.put("back\\slash", Buffer.from("x")));
  await refused(t, "STORE_FAILED", () => store.startUpload("back\\slash", { partBytes: 1 << 20 }));
});

test("a SAS and a connection string access the same container as the key", async (t) => {
  const url = await container.generateSasUrl({
    permissions: ContainerSASPermissions.parse("racwdl"),
    expiresOn: new Date(Date.now() + 3_600_000),
  });
  const text = `DefaultEndpointsProtocol=http;BlobEndpoint=${endpoint};AccountName=${account};AccountKey=${key}`;
  const byKey = new AbsStore(config);
  await byKey.put("by/key", Buffer.from("bytes"));
  for (const credentials of [
    { kind: "sas", token: new URL(url).search },
    { kind: "connection-string", text },
  ] as const) {
    const store = new AbsStore({ ...config, credentials });
    t.is((await readAll(store, "by/key")).toString(), "bytes");
    await store.put(`by/${credentials.kind}`, Buffer.from("x"));
    t.is(store.place, byKey.place);
  }
});

test("wrong credentials and a missing container have distinct codes", async (t) => {
  const wrong = Buffer.from("another key").toString("base64");
  const stranger = new AbsStore({ ...config, credentials: { ...credentials, key: wrong } });
  const error = await refused(t, "STORE_CREDENTIALS", () => stranger.list(""));
  t.false(`${error.message} ${error.hint}`.includes(wrong));
  await refused(t, "STORE_CREDENTIALS", () => stranger.head("k"));
  await refused(t, "STORE_CREDENTIALS", () => stranger.put("k", Buffer.from("x")));

  const nowhere = new AbsStore({ ...config, container: "missing" });
  await refused(t, "STORE_NOT_FOUND", () => nowhere.list(""));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.put("k", Buffer.from("x")));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.head("k"));
  await refused(t, "STORE_NOT_FOUND", () => nowhere.startUpload("k", { partBytes: 1 << 20 }));
});

test("an unreachable server is a retryable failure", async (t) => {
  const store = new AbsStore({ ...config, endpoint: `http://127.0.0.1:1/${account}` });
  const error = await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  t.true(error.message.includes("ECONNREFUSED"));
});

test("an interrupted abort blocks no key, and pruning removes its blob", async (t) => {
  const proxy = await FaultyProxy.start(new URL(endpoint).origin, ({ method }) =>
    method === "DELETE" ? { kind: "drop" } : undefined,
  );
  t.teardown(() => proxy.close());
  const prefix = "broken-off";
  const broken = new AbsStore({ ...config, prefix, endpoint: `${proxy.url}/${account}` });
  const store = new AbsStore({ ...config, prefix });
  const bytes = randomBytes(100_000);
  const left = async () => {
    const names: string[] = [];
    const wanted = { prefix: `${prefix}/`, includeUncommitedBlobs: true };
    for await (const { name } of container.listBlobsFlat(wanted))
      names.push(name.split("/")[1] ?? "");
    return names.sort();
  };
  for (const key of ["put", "upload", "newer", "stale"]) {
    const upload = await broken.startUpload(key, { partBytes: bytes.length });
    await upload.part(0, bytes);
    await upload.abort();
    t.is(await store.head(key), undefined);
  }
  t.deepEqual((await store.list("")).objects, []);
  t.deepEqual(await left(), ["newer", "put", "stale", "upload"]);
  const between = new Date();

  const ifAbsent = true;
  await store.put("put", bytes, { ifAbsent });
  t.true((await readAll(store, "put")).equals(bytes));
  await refused(t, "STORE_EXISTS", () => store.put("put", Buffer.from("x"), { ifAbsent }));

  const facts = {
    parts: 1,
    size: bytes.length,
    sha256: createHash("sha256").update(bytes).digest("hex"),
  };
  const upload = await store.startUpload("upload", { partBytes: bytes.length, ifAbsent });
  await upload.part(0, bytes);
  await upload.complete(facts);
  t.true((await readAll(store, "upload")).equals(bytes));

  t.is(await store.abortStaleUploads("", new Date(Date.now() - 3_600_000)), 0);
  t.is(await store.abortStaleUploads("", new Date(Date.now() + 60_000), { keep: ["newer"] }), 1);
  t.deepEqual(await left(), ["newer", "put", "upload"]);
  const newer = await store.startUpload("newer", { partBytes: bytes.length, ifAbsent });
  await newer.part(0, bytes);
  t.is(await store.abortStaleUploads("", between), 0, "blocks that came since lie on it");
  await newer.complete(facts);
  t.true((await readAll(store, "newer")).equals(bytes));
});

test("a truncated response is retryable", async (t) => {
  const proxy = await FaultyProxy.start(new URL(endpoint).origin);
  t.teardown(() => proxy.close());
  const prefix = "cut";
  const store = new AbsStore({ ...config, prefix, endpoint: `${proxy.url}/${account}` });
  await store.put("k", randomBytes(1000));
  for (const fault of [
    { kind: "cut-answer", after: 100 },
    { kind: "cut-answer", after: 0 },
    { kind: "status", status: 200, body: '<?xml version="1.0"?><EnumerationResults><Blobs>' },
  ] as const) {
    proxy.plan = () => fault;
    await refused(t, "STORE_TRANSIENT", () => store.list(""));
    await refused(t, "STORE_TRANSIENT", () => store.list("", { shallow: true }));
    await refused(t, "STORE_TRANSIENT", () => store.abortStaleUploads("", new Date()));
  }
});

test("a malformed account key is rejected, and not in the message", (t) => {
  const credentials = { kind: "connection-string", text: "AccountKey=geheim;nonsense" } as const;
  const error = t.throws(() => new AbsStore({ ...config, credentials }));
  t.false(`${error.message} ${error.cause}`.includes("geheim"));
});

test("credentials in variables of the process are not used", (t) => {
  const { credentials: _, ...without } = config;
  process.env["AZURE_STORAGE_CONNECTION_STRING"] =
    `BlobEndpoint=${endpoint};AccountName=${account};AccountKey=${key}`;
  t.teardown(() => {
    delete process.env["AZURE_STORAGE_CONNECTION_STRING"];
  });
  t.throws(() => new AbsStore(without), { message: /no credentials are set/ });
});
