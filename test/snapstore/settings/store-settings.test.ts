import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { failureLine, flagName, settingNames } from "../../../src/cli/output/failure.js";
import { UsageError } from "../../../src/errors.js";
import { settingsOfEnvironment } from "../../../src/settings/environment.js";
import { valuesOf } from "../../../src/settings/kinds.js";
import { uploadOptions } from "../../../src/settings/new-backup.js";
import { effectiveSettings } from "../../../src/settings/precedence.js";
import {
  secondaryStoreSettings,
  secondaryUploadSettings,
  sourceStoreSettings,
  storeSettings,
  uploadSettings,
} from "../../../src/settings/store-declarations.js";
import type { StoreConfig } from "../../../src/snapstore/config.js";
import type { StoreRole } from "../../../src/snapstore/settings/roles.js";
import { storeConfig as configOf } from "../../../src/snapstore/settings/store-settings.js";
import { newFolder } from "../../support/folders.js";

type Env = Readonly<Record<string, string>>;

type Flags = Readonly<Record<string, string>>;

const typed = (flags: Flags) =>
  Object.entries(flags).map(([name, value]) => {
    return { name, value, source: "typed" as const, shown: `--${name}` };
  });

/** How the last error names its settings. */
let names = flagName;

/** The store that a command gets from flags and variables. */
function storeConfig(flags: Flags, role: StoreRole, env: Env): StoreConfig | undefined {
  const declared = { ...storeSettings, ...secondaryStoreSettings, ...sourceStoreSettings };
  const levels = [typed(flags), settingsOfEnvironment(declared, env)];
  const settings = effectiveSettings("snapshot list", levels);
  names = settingNames(settings);
  return configOf(valuesOf(declared, settings), role, env);
}

function primary(flags: Flags, env: Env = {}): StoreConfig | undefined {
  const config = storeConfig(flags, "primary", env);
  return config === undefined ? undefined : withoutUndefined(config);
}

/** For a provider, absent and undefined fields are the same. */
function withoutUndefined<T extends object>(value: T): T {
  return JSON.parse(JSON.stringify(value));
}

function json(content: unknown): string {
  const path = join(newFolder(), "credentials.json");
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

function folder(files: Readonly<Record<string, string>>): string {
  const path = newFolder();
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  return path;
}

/** The whole message, which must include all of `words` and none of `secrets`. */
function refused(
  t: { true(value: boolean, message?: string): void; throws(run: () => unknown): unknown },
  run: () => unknown,
  words: readonly string[],
  secrets: readonly string[] = [],
): void {
  const error = t.throws(run);
  t.true(error instanceof UsageError, String(error));
  if (!(error instanceof UsageError)) return;
  const message = failureLine(error, names);
  for (const word of words) t.true(message.includes(word), `${message} lacks ${word}`);
  for (const secret of secrets) t.true(!message.includes(secret), `${message} tells ${secret}`);
  t.true(error.cause === undefined, "a cause may quote what it read");
}

test("without settings there is no store", (t) => {
  t.is(primary({}), undefined);
  t.is(primary({}, { STORAGE_PROVIDER: "", STORAGE_CONTAINER: "" }), undefined);
});

test("the short form of each provider is parsed", (t) => {
  const at = (store: string, env: Env = {}) => {
    const { provider, container, prefix } = primary({ store }, env) ?? {};
    return [provider, container, prefix];
  };
  t.deepEqual(at("s3://bucket"), ["S3", "bucket", ""]);
  t.deepEqual(at("s3://bucket/"), ["S3", "bucket", ""]);
  t.deepEqual(at("s3://bucket/a/b/"), ["S3", "bucket", "a/b"]);
  t.deepEqual(at("gs://bucket/a"), ["GCS", "bucket", "a"]);
  const azure = { AZURE_STORAGE_ACCOUNT: "me", AZURE_STORAGE_KEY: "a2V5" };
  t.deepEqual(at("azblob://box/a", azure), ["ABS", "box", "a"]);
  const swift = {
    OS_AUTH_URL: "https://k/v3",
    OS_USERNAME: "u",
    OS_PASSWORD: "p",
    OS_TENANT_NAME: "t",
  };
  t.deepEqual(at("swift://box/a", swift), ["Swift", "box", "a"]);
  t.deepEqual(at("file:///mnt/my backups/"), ["Local", "/mnt/my backups", ""]);
  t.deepEqual(at("file:///mnt/my%20backups"), ["Local", "/mnt/my backups", ""]);
  t.deepEqual(at("rclone:remote:a/b/"), ["Rclone", "remote:a/b", ""]);
  t.deepEqual(at("rclone:remote:"), ["Rclone", "remote:", ""]);
});

test("an invalid short form is rejected, and the message has no password", (t) => {
  for (const store of [
    "bucket",
    "/mnt",
    "http://bucket/a",
    "s3://",
    "s3:///a",
    "s3://bucket/a/../b",
    "s3://bucket/a//b",
    "s3://bucket/a?versions",
    "s3://bucket/a\n",
    "file://mnt",
    "file:///",
    "rclone:remote",
    "rclone::s3:bucket",
  ]) {
    refused(t, () => primary({ store }), ["--store"]);
  }
  refused(t, () => primary({ store: "s3://me:hunter2@bucket/a" }), ["--store"], ["hunter2"]);
});

test("a prefix never has empty, . or .. segments", (t) => {
  fc.assert(
    fc.property(fc.string(), (prefix) => {
      try {
        const config = primary({ store: "s3://b/x", "store-prefix": prefix });
        const parts = config?.prefix.split("/") ?? [];
        t.true(parts.every((part) => part !== "" && part !== "." && part !== ".."));
        t.is(parts[0], "x");
      } catch (error) {
        t.true(error instanceof UsageError);
      }
    }),
  );
});

test("the long form is read from flags and variables; flags take precedence", (t) => {
  const flags = {
    "storage-provider": "s3",
    "store-container": "bucket",
    "store-prefix": "/a/b/",
    "store-endpoint-override": "http://127.0.0.1:9000/",
  };
  const expected = {
    provider: "S3",
    container: "bucket",
    prefix: "a/b",
    endpoint: "http://127.0.0.1:9000",
  };
  t.deepEqual(primary(flags), expected);
  t.deepEqual(primary(flags, { STORAGE_PROVIDER: "Local", STORAGE_CONTAINER: "/x" }), expected);
  t.deepEqual(primary({}, { STORAGE_PROVIDER: "Local", STORAGE_CONTAINER: "/x" }), {
    provider: "Local",
    container: "/x",
    prefix: "",
  });
});

test("incomplete settings of a store are rejected", (t) => {
  refused(t, () => primary({ "storage-provider": "S3" }), ["--store-container"]);
  refused(t, () => primary({ "store-container": "b" }), ["--storage-provider"]);
  refused(t, () => primary({ "store-prefix": "a" }), ["--store-prefix"]);
  refused(t, () => primary({ "storage-provider": "S4", "store-container": "b" }), [
    "--storage-provider",
    "S4",
  ]);
  refused(t, () => primary({}, { STORAGE_PROVIDER: "S4", STORAGE_CONTAINER: "b" }), [
    "STORAGE_PROVIDER",
  ]);
  refused(t, () => primary({ store: "file:///x", "store-endpoint-override": "http://x" }), [
    "--store-endpoint-override",
  ]);
  refused(t, () => primary({ store: "s3://b", "store-endpoint-override": "ftp://x" }), [
    "--store-endpoint-override",
  ]);
});

test("S3 credentials are read from a JSON file, field by field", (t) => {
  const pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
  const path = json({
    accessKeyID: "id",
    secretAccessKey: "secret",
    sessionToken: "token",
    region: "eu-1",
    endpoint: "minio:9000",
    s3ForcePathStyle: true,
    insecureSkipVerify: false,
    trustedCaCert: pem,
    bucketName: "other",
    roleARN: "arn:x",
    tokenPath: "/run/token",
    sseKmsKeyId: "kms",
    storageClass: "STANDARD_IA",
  });
  t.deepEqual(primary({ store: "s3://b" }, { AWS_APPLICATION_CREDENTIALS_JSON: path }), {
    provider: "S3",
    container: "b",
    prefix: "",
    endpoint: "https://minio:9000",
    region: "eu-1",
    credentials: { accessKeyId: "id", secretAccessKey: "secret", sessionToken: "token" },
    pathStyle: true,
    insecureSkipVerify: false,
    caCertificate: pem,
    sse: { kind: "kms", keyId: "kms" },
    storageClass: "STANDARD_IA",
    roleArn: "arn:x",
    webIdentityTokenFile: "/run/token",
  });
});

test("S3 credentials are read from a folder with a file for each field", (t) => {
  const path = folder({
    accessKeyID: "id\n",
    secretAccessKey: "secret\r\n",
    s3ForcePathStyle: "true\n",
  });
  mkdirSync(join(path, "..data"));
  const config = primary({ store: "s3://b" }, { AWS_APPLICATION_CREDENTIALS: path });
  t.deepEqual(config, {
    provider: "S3",
    container: "b",
    prefix: "",
    pathStyle: true,
    credentials: { accessKeyId: "id", secretAccessKey: "secret" },
  });
  const withJson = folder({ "credentials.json": JSON.stringify({ region: "eu-1" }) });
  t.deepEqual(primary({ store: "s3://b" }, { AWS_APPLICATION_CREDENTIALS: withJson }), {
    provider: "S3",
    container: "b",
    prefix: "",
    region: "eu-1",
  });
});

test("a customer's key is 32 bytes, as text, base64 or hex", (t) => {
  const bytes = Buffer.from("0123456789abcdef0123456789abcdef");
  for (const key of [bytes.toString(), bytes.toString("base64"), bytes.toString("hex")]) {
    const path = json({ sseCustomerKey: key, sseCustomerAlgorithm: "AES256" });
    const config = storeConfig({ store: "s3://b" }, "primary", {
      AWS_APPLICATION_CREDENTIALS_JSON: path,
    });
    const sse = config?.provider === "S3" ? config.sse : undefined;
    t.true(sse?.kind === "customer" && bytes.equals(sse.key));
  }
});

test("errors in a credential file name the file and the field, never the value", (t) => {
  const secret = "hunter2-hunter2";
  const wrong: readonly (readonly [unknown, readonly string[]])[] = [
    [{ accessKeyID: "id" }, ["secretAccessKey"]],
    [{ secretAccessKey: secret }, ["accessKeyID"]],
    [{ sessionToken: secret }, ["accessKeyID"]],
    [{ accessKeyID: "id", secretAccessKey: 7 }, ["secretAccessKey"]],
    [{ s3ForcePathStyle: secret }, ["s3ForcePathStyle"]],
    [{ sseCustomerKey: secret }, ["sseCustomerKey"]],
    [{ sseCustomerAlgorithm: "AES256" }, ["sseCustomerKey"]],
    [{ sseCustomerkey: secret }, ["sseCustomerkey", "sseCustomerKey"]],
    [{ sseCustomerKey: "0".repeat(32), sseKmsKeyId: "x" }, ["sseKmsKeyId"]],
    [{ trustedCaCert: secret }, ["trustedCaCert"]],
    [{ endpoint: `https://me:${secret}@host` }, ["endpoint"]],
    [{ tokenPath: "/x" }, ["roleARN"]],
    [`{"accessKeyID": ${secret}`, ["JSON"]],
    [[secret], ["JSON object"]],
  ];
  for (const [content, words] of wrong) {
    const path = json(content);
    const env = { AWS_APPLICATION_CREDENTIALS_JSON: path };
    refused(
      t,
      () => primary({ store: "s3://b" }, env),
      ["AWS_APPLICATION_CREDENTIALS_JSON", path, ...words],
      [secret],
    );
  }
  refused(t, () => primary({ store: "s3://b" }, { AWS_APPLICATION_CREDENTIALS_JSON: "/none" }), [
    "AWS_APPLICATION_CREDENTIALS_JSON",
    "/none",
  ]);
  refused(t, () => primary({ store: "s3://b" }, { AWS_ACCESS_KEY_ID: "id" }), [
    "AWS_SECRET_ACCESS_KEY",
  ]);
});

test("each store sees its own flags and variables only", (t) => {
  const env = {
    AWS_APPLICATION_CREDENTIALS_JSON: json({
      accessKeyID: "one",
      secretAccessKey: "1",
      endpoint: "http://one",
    }),
    SECONDARY_AWS_APPLICATION_CREDENTIALS_JSON: json({ accessKeyID: "two", secretAccessKey: "2" }),
    SECONDARY_STORAGE_PROVIDER: "S3",
    SECONDARY_STORAGE_CONTAINER: "second",
    SOURCE_AWS_ACCESS_KEY_ID: "three",
    SOURCE_AWS_SECRET_ACCESS_KEY: "3",
  };
  const flags = {
    store: "s3://first",
    "source-store": "s3://third",
    "secondary-store-prefix": "p",
  };
  const keyOf = (config: StoreConfig | undefined) =>
    config?.provider === "S3"
      ? [config.container, config.prefix, config.endpoint, config.credentials?.accessKeyId]
      : [];
  t.deepEqual(keyOf(storeConfig(flags, "primary", env)), ["first", "", "http://one", "one"]);
  t.deepEqual(keyOf(storeConfig(flags, "secondary", env)), ["second", "p", undefined, "two"]);
  t.deepEqual(keyOf(storeConfig(flags, "source", env)), ["third", "", undefined, "three"]);
  refused(t, () => storeConfig({}, "secondary", { SECONDARY_STORAGE_PROVIDER: "S3" }), [
    "--secondary-store-container",
  ]);
});

test("without credentials the configuration has none, so the SDK uses its own chain", (t) => {
  t.deepEqual(primary({ store: "s3://b" }), { provider: "S3", container: "b", prefix: "" });
  t.deepEqual(primary({ store: "gs://b" }), { provider: "GCS", container: "b", prefix: "" });
});

test("a store that is not the primary never goes to another server with the primary's keys", (t) => {
  const env = { AWS_ACCESS_KEY_ID: "hunter2", AWS_SECRET_ACCESS_KEY: "hunter3" };
  for (const role of ["secondary", "source"] as const) {
    const before = role.toUpperCase();
    const flags = {
      [`${role}-store`]: "s3://b",
      [`${role}-store-endpoint-override`]: "http://minio:9000",
    };
    refused(t, () => storeConfig(flags, role, env), [`${before}_AWS_ACCESS_KEY_ID`], ["hunter"]);
    const profile = { ...env, [`${before}_AWS_PROFILE`]: "minio" };
    t.like(storeConfig(flags, role, profile), { isolated: { profile: "minio" } });
    const identity = {
      [`${before}_AWS_ROLE_ARN`]: "arn:x",
      [`${before}_AWS_WEB_IDENTITY_TOKEN_FILE`]: "/run/token",
    };
    t.like(storeConfig(flags, role, { ...env, ...identity }), {
      roleArn: "arn:x",
      webIdentityTokenFile: "/run/token",
    });
    const ecs = { [`${before}_ECS_ENDPOINT`]: "ecs.local:9020", ...env };
    refused(t, () => storeConfig({ [`${role}-store`]: "ecs://b" }, role, ecs), [
      `${before}_ECS_ACCESS_KEY_ID`,
    ]);
  }
});

test("the endpoint in variables of AWS is used, unless AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is set", (t) => {
  const env = { AWS_ENDPOINT_URL: "http://all:1", AWS_ENDPOINT_URL_S3: "http://s3:1" };
  t.like(primary({ store: "s3://b" }, env), { endpoint: "http://s3:1" });
  t.like(primary({ store: "s3://b" }, { AWS_ENDPOINT_URL: "http://all:1" }), {
    endpoint: "http://all:1",
  });
  const ignored = { ...env, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS: "true" };
  t.deepEqual(primary({ store: "s3://b" }, ignored), {
    provider: "S3",
    container: "b",
    prefix: "",
  });
});

test("ECS, OCS and OSS have their own variables", (t) => {
  const ecs = {
    ECS_ENDPOINT: "ecs.local:9020",
    ECS_ACCESS_KEY_ID: "id",
    ECS_SECRET_ACCESS_KEY: "secret",
    ECS_DISABLE_SSL: "true",
    ECS_INSECURE_SKIP_VERIFY: "false",
  };
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" };
  const place = { container: "b", prefix: "" };
  t.deepEqual(primary({ "storage-provider": "ECS", "store-container": "b" }, ecs), {
    provider: "ECS",
    ...place,
    endpoint: "http://ecs.local:9020",
    region: "US-Standard",
    credentials,
    pathStyle: true,
    insecureSkipVerify: false,
  });
  const ocs = json({
    accessKeyID: "id",
    secretAccessKey: "secret",
    endpoint: "https://ocs",
    region: "r",
  });
  t.deepEqual(primary({ store: "ocs://b" }, { OPENSHIFT_APPLICATION_CREDENTIALS_JSON: ocs }), {
    provider: "OCS",
    ...place,
    endpoint: "https://ocs",
    region: "r",
    credentials,
    pathStyle: true,
  });
  const endpoint = "oss-eu-central-1.aliyuncs.com";
  const oss = folder({ storageEndpoint: endpoint, accessKeyID: "id", accessKeySecret: "secret" });
  t.deepEqual(primary({ store: "oss://b" }, { ALICLOUD_APPLICATION_CREDENTIALS: oss }), {
    provider: "OSS",
    ...place,
    endpoint: `https://${endpoint}`,
    region: "oss-eu-central-1",
    credentials,
    pathStyle: false,
  });
  refused(t, () => primary({ store: "ecs://b" }), ["ECS_ENDPOINT"]);
  refused(t, () => primary({ store: "oss://b" }), ["ALICLOUD_ENDPOINT"]);
});

test("Azure takes a key, a SAS token or a connection string, and an emulator", (t) => {
  const place = { provider: "ABS", container: "b", prefix: "" };
  const of = (content: object, env: Env = {}) =>
    primary({ store: "azblob://b" }, { AZURE_APPLICATION_CREDENTIALS_JSON: json(content), ...env });
  const credentials = { kind: "shared-key", account: "me", key: "a2V5" };
  t.deepEqual(of({ storageAccount: "me", storageKey: "a2V5", domain: "blob.local" }), {
    ...place,
    account: "me",
    credentials,
    domain: "blob.local",
  });
  t.deepEqual(of({ storageAccount: "me", sasToken: "?sv=1" }), {
    ...place,
    account: "me",
    credentials: { kind: "sas", token: "sv=1" },
  });
  t.deepEqual(of({ connectionString: "AccountName=me" }), {
    ...place,
    credentials: { kind: "connection-string", text: "AccountName=me" },
  });
  const emulator = {
    AZURE_EMULATOR_ENABLED: "true",
    AZURE_STORAGE_API_ENDPOINT: "http://127.0.0.1:10000",
  };
  t.deepEqual(of({ storageAccount: "me", storageKey: "a2V5" }, emulator), {
    ...place,
    account: "me",
    credentials,
    endpoint: "http://127.0.0.1:10000/me",
  });
  refused(t, () => of({}), ["storageAccount"]);
  refused(
    t,
    () => of({ storageAccount: "me", storageKey: "no base 64" }),
    ["storageKey"],
    ["no base"],
  );
  refused(t, () => of({ storageAccount: "me", storageKey: "a2V5", sasToken: "x" }), [
    "storageKey",
    "sasToken",
  ]);
});

test("a connection string of Azure excludes other accounts and endpoints", (t) => {
  const AZURE_STORAGE_CONNECTION_STRING = "AccountName=me;AccountKey=hunter2==";
  const store = "azblob://b";
  const of = (env: Env, flags = {}) =>
    primary({ store, ...flags }, { AZURE_STORAGE_CONNECTION_STRING, ...env });
  const words = ["AZURE_STORAGE_CONNECTION_STRING"];
  const override = { "store-endpoint-override": "http://127.0.0.1:10000/me" };
  refused(t, () => of({}, override), words, ["hunter2"]);
  refused(t, () => of({ AZURE_STORAGE_DOMAIN: "blob.local" }), words, ["hunter2"]);
  refused(t, () => of({ AZURE_STORAGE_ACCOUNT: "other" }), words, ["hunter2"]);
  const emulator = { AZURE_EMULATOR_ENABLED: "true", AZURE_STORAGE_API_ENDPOINT: "http://x" };
  refused(t, () => of(emulator), words, ["hunter2"]);
  t.like(of({ AZURE_STORAGE_ACCOUNT: "me" }), { account: "me" });
  const bySas = "BlobEndpoint=https://me.blob.core.windows.net;SharedAccessSignature=sv=1&sig=x";
  t.like(of({ AZURE_STORAGE_CONNECTION_STRING: bySas, AZURE_STORAGE_ACCOUNT: "me" }), {
    account: "me",
  });
  t.like(of({}), { endpoint: undefined });
});

test("Azure without its own credentials is rejected, whatever the primary has", (t) => {
  const account = { AZURE_STORAGE_ACCOUNT: "me" };
  refused(t, () => primary({ store: "azblob://b" }, account), ["AZURE_STORAGE_KEY"]);
  const env = {
    AZURE_STORAGE_SAS_TOKEN: "hunter2",
    AZURE_STORAGE_CONNECTION_STRING: "AccountName=me;AccountKey=hunter2",
    SECONDARY_AZURE_STORAGE_ACCOUNT: "second",
  };
  const secondary = () => storeConfig({ "secondary-store": "azblob://b" }, "secondary", env);
  refused(t, secondary, ["SECONDARY_AZURE_STORAGE_KEY"], ["hunter2"]);
});

test("a key file of Google is read, and other files are rejected", (t) => {
  const key = { type: "service_account", client_email: "me@x", private_key: "pem" };
  const env = {
    GOOGLE_APPLICATION_CREDENTIALS: json(key),
    GOOGLE_STORAGE_API_ENDPOINT: "http://127.0.0.1:4443",
    GOOGLE_EMULATOR_ENABLED: "true",
  };
  t.deepEqual(primary({ store: "gs://b/p" }, env), {
    provider: "GCS",
    container: "b",
    prefix: "p",
    endpoint: "http://127.0.0.1:4443",
    anonymous: true,
    credentials: key,
  });
  const other = { GOOGLE_APPLICATION_CREDENTIALS: json({ accessKeyID: "hunter2" }) };
  refused(
    t,
    () => primary({ store: "gs://b" }, other),
    ["GOOGLE_APPLICATION_CREDENTIALS"],
    ["hunter2"],
  );
});

test("a secondary does not use the variables of Google's library and rclone", (t) => {
  const env = { GOOGLE_APPLICATION_CREDENTIALS: "/primary.json", RCLONE_CONFIG: "/primary.conf" };
  const second = (store: string, more: Env = {}, flags = {}) =>
    storeConfig({ "secondary-store": store, ...flags }, "secondary", { ...env, ...more });
  const variable = "SECONDARY_GOOGLE_APPLICATION_CREDENTIALS";
  t.like(second("gs://b"), { credentials: undefined, isolated: { variable } });
  const elsewhere = { "secondary-store-endpoint-override": "http://gcs:1" };
  refused(t, () => second("gs://b", {}, elsewhere), [variable], ["/primary"]);
  const emulator = { SECONDARY_GOOGLE_EMULATOR_ENABLED: "true" };
  t.like(second("gs://b", emulator, elsewhere), { anonymous: true });
  refused(t, () => second("rclone:r:b"), ["SECONDARY_RCLONE_CONFIG"], ["/primary"]);
  const own = { SECONDARY_RCLONE_CONFIG: "/second.conf" };
  t.like(second("rclone:r:b", own), { configFile: "/second.conf" });
  t.like(second("rclone:r:b", { RCLONE_CONFIG: "" }), { configFile: undefined });
});

test("Swift supports passwords, application credentials and the v1 protocol", (t) => {
  const place = { provider: "Swift", container: "b", prefix: "" };
  const of = (env: Env) => primary({ store: "swift://b" }, env);
  const user = { OS_AUTH_URL: "https://k:5000/v3", OS_USERNAME: "u", OS_PASSWORD: "p" };
  const all = { ...user, OS_DOMAIN_NAME: "d", OS_TENANT_NAME: "t", OS_REGION_NAME: "r" };
  t.deepEqual(of(all), {
    ...place,
    region: "r",
    auth: {
      kind: "v3-password",
      url: "https://k:5000/v3",
      user: "u",
      password: "p",
      userDomain: "d",
      project: "t",
      projectDomain: "d",
    },
  });
  const url = "https://k:5000/v3";
  const file = json({
    authURL: url,
    applicationCredentialID: "i",
    applicationCredentialSecret: "s",
  });
  t.deepEqual(of({ OPENSTACK_APPLICATION_CREDENTIALS_JSON: file }), {
    ...place,
    auth: { kind: "v3-application-credential", url, id: "i", secret: "s" },
  });
  const named = {
    authURL: url,
    username: "u",
    domainName: "d",
    applicationCredentialName: "n",
    applicationCredentialSecret: "s",
  };
  t.deepEqual(of({ OPENSTACK_APPLICATION_CREDENTIALS: folder(named) }), {
    ...place,
    auth: {
      kind: "v3-application-credential",
      url,
      name: "n",
      user: "u",
      userDomain: "d",
      secret: "s",
    },
  });
  const v1 = "http://127.0.0.1:8000/auth/v1.0";
  t.deepEqual(of({ ST_AUTH: v1, ST_USER: "a:b", ST_KEY: "k" }), {
    ...place,
    auth: { kind: "v1", url: v1, user: "a:b", key: "k" },
  });
  refused(t, () => of({}), ["OS_AUTH_URL"]);
  refused(t, () => of(user), ["OS_TENANT_NAME"]);
});

test("other variables of an openrc file are used or rejected", (t) => {
  const pem = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n";
  const path = join(newFolder(), "ca.pem");
  writeFileSync(path, pem);
  const env = {
    OS_AUTH_URL: "https://k:5000/v3",
    OS_USERNAME: "u",
    OS_PASSWORD: "hunter2",
    OS_PROJECT_NAME: "t",
    OS_PROJECT_ID: "0123",
    OS_INTERFACE: "public",
    OS_PROJECT_DOMAIN_ID: "default",
    OS_USER_DOMAIN_NAME: "d",
    OS_CACERT: path,
  };
  const of = (more: Env) => primary({ store: "swift://b" }, { ...env, ...more });
  t.like(of({}), {
    caCertificate: pem,
    auth: { kind: "v3-password", userDomain: "d", project: "t", projectDomain: "Default" },
  });
  refused(t, () => of({ OS_PROJECT_DOMAIN_ID: "4567" }), ["OS_PROJECT_DOMAIN_NAME"], ["hunter2"]);
  t.like(of({ OS_PROJECT_DOMAIN_ID: "4567", OS_PROJECT_DOMAIN_NAME: "e" }), {
    auth: { projectDomain: "e" },
  });
  refused(t, () => of({ OS_USER_DOMAIN_NAME: "", OS_USER_DOMAIN_ID: "4567" }), [
    "OS_USER_DOMAIN_NAME",
  ]);
  refused(t, () => of({ OS_INTERFACE: "internal" }), ["OS_INTERFACE"]);
  refused(t, () => of({ OS_CACERT: "/none" }), ["OS_CACERT"]);
  refused(t, () => of({ OS_PROJECT_NAME: "" }), ["OS_TENANT_NAME"]);
});

test("sizes and counts of uploads are limited", (t) => {
  const of = (flags: Flags) => {
    const declared = { ...uploadSettings, ...secondaryUploadSettings };
    const values = valuesOf(declared, typed(flags));
    return [uploadOptions(values, "primary"), uploadOptions(values, "secondary")];
  };
  const usual = { minChunkBytes: 5 << 20, maxParallelChunks: 5 };
  const given = { "secondary-min-chunk-size": "64MiB", "max-parallel-chunk-uploads": "7" };
  t.deepEqual(of({}), [usual, usual]);
  t.deepEqual(of(given), [
    { ...usual, maxParallelChunks: 7 },
    { ...usual, minChunkBytes: 64 << 20 },
  ]);
  for (const [flag, value] of [
    ["min-chunk-size", "1MiB"],
    ["min-chunk-size", "1GiB"],
    ["max-parallel-chunk-uploads", "0"],
    ["max-parallel-chunk-uploads", "1.5"],
    ["max-parallel-chunk-uploads", "many"],
  ] as const) {
    refused(t, () => of({ [flag]: value }), [`--${flag}`]);
  }
});
