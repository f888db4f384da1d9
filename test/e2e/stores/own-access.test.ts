import { writeFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import type { S3Client } from "@aws-sdk/client-s3";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import test from "ava";
import { storeConfig } from "../../../src/snapstore/settings/store-settings.js";
import type { StoreError } from "../../../src/snapstore/errors.js";
import { GcsStore } from "../../../src/snapstore/gcs/store.js";
import { DEADLINES, s3Client } from "../../../src/snapstore/s3/client.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { newFolder } from "../../support/folders.js";

/** Variables that libraries would read by themselves, and variables of the primary. */
const PRIMARY = {
  AWS_ACCESS_KEY_ID: "PRIMARYKEY",
  AWS_SECRET_ACCESS_KEY: "primary-secret",
  AWS_SESSION_TOKEN: "primary-token",
  AWS_REGION: "primary-region",
  AWS_ENDPOINT_URL_S3: "http://primary.invalid",
  AWS_ENDPOINT_URL: "http://primary.invalid",
};
Object.assign(process.env, PRIMARY, { AWS_EC2_METADATA_DISABLED: "true" });

/** The signed request of a listing. */
async function signed(client: S3Client): Promise<{ host: string; said: string }> {
  let request: unknown;
  client.middlewareStack.add(
    () => async (args) => {
      request = args.request;
      throw new Error("seen");
    },
    { step: "finalizeRequest", priority: "low" },
  );
  try {
    await client.send(new ListObjectsV2Command({ Bucket: "bucket" }));
  } catch (error) {
    if (!(error instanceof Error) || error.message !== "seen") throw error;
  } finally {
    client.destroy();
  }
  const { hostname, headers } = request as { hostname: string; headers: Record<string, string> };
  return { host: hostname, said: JSON.stringify(headers) };
}

function secondary(env: Readonly<Record<string, string>>): S3Client {
  const all = { ...PRIMARY, ...env };
  const config = storeConfig({ "secondary-store": "s3://bucket" }, "secondary", all);
  if (config?.provider !== "S3") throw new Error("this is no S3");
  return s3Client(config, DEADLINES);
}

test("a secondary with keys uses its own server, whatever the variables of the primary are", async (t) => {
  const keys = { SECONDARY_AWS_ACCESS_KEY_ID: "OWNKEY", SECONDARY_AWS_SECRET_ACCESS_KEY: "x" };
  const amazon = await signed(secondary(keys));
  t.is(amazon.host, "bucket.s3.us-east-1.amazonaws.com");
  t.regex(amazon.said, /OWNKEY/);
  t.notRegex(amazon.said, /PRIMARYKEY|primary-/);
  const SECONDARY_AWS_ENDPOINT_URL_S3 = "http://second.invalid";
  const own = await signed(secondary({ ...keys, SECONDARY_AWS_ENDPOINT_URL_S3 }));
  t.is(own.host, "second.invalid");
});

test("a secondary without keys uses those of the shared files, by its own profile", async (t) => {
  const file = join(newFolder(), "credentials");
  const profile = (name: string, key: string) =>
    `[${name}]\naws_access_key_id = ${key}\naws_secret_access_key = x\n`;
  writeFileSync(file, profile("default", "DEFAULTKEY") + profile("second", "SECONDKEY"));
  const SECONDARY_AWS_SHARED_CREDENTIALS_FILE = file;
  const plain = await signed(secondary({ SECONDARY_AWS_SHARED_CREDENTIALS_FILE }));
  t.is(plain.host, "bucket.s3.us-east-1.amazonaws.com");
  t.regex(plain.said, /DEFAULTKEY/);
  t.notRegex(plain.said, /PRIMARYKEY|primary-/);
  const SECONDARY_AWS_PROFILE = "second";
  const SECONDARY_AWS_ENDPOINT_URL = "http://second.invalid";
  const chosen = await signed(
    secondary({
      SECONDARY_AWS_SHARED_CREDENTIALS_FILE,
      SECONDARY_AWS_PROFILE,
      SECONDARY_AWS_ENDPOINT_URL,
    }),
  );
  t.is(chosen.host, "second.invalid");
  t.regex(chosen.said, /SECONDKEY/);
  t.notRegex(chosen.said, /PRIMARYKEY|primary-/);
});

test("the error of a secondary without keys names the variable", async (t) => {
  const nothing = { SECONDARY_AWS_SHARED_CREDENTIALS_FILE: join(newFolder(), "none") };
  await t.throwsAsync(signed(secondary(nothing)), { message: /SECONDARY_AWS_ACCESS_KEY_ID/ });
});

test("a secondary at Google uses neither the key file of the primary nor its emulator", async (t) => {
  const file = join(newFolder(), "primary.json");
  const key = { type: "service_account", client_email: "primary@x", private_key: "primary" };
  writeFileSync(file, JSON.stringify(key));
  const PRIMARYS = {
    GOOGLE_APPLICATION_CREDENTIALS: file,
    STORAGE_EMULATOR_HOST: "http://primary.invalid",
    // No metadata server answers here, and the library waits for one.
    METADATA_SERVER_DETECTION: "none",
  };
  Object.assign(process.env, PRIMARYS);
  t.teardown(() => {
    for (const name of Object.keys(PRIMARYS)) delete process.env[name];
  });
  const config = storeConfig({ "secondary-store": "gs://bucket" }, "secondary", PRIMARYS);
  if (config?.provider !== "GCS") throw new Error("this is no GCS");
  const store = new GcsStore(config);
  t.teardown(() => store.close());
  t.is(store.place, "gs://storage.googleapis.com/bucket/");
  const error = await t.throwsAsync(store.list(""), { message: /cannot get an access token/ });
  t.regex((error as StoreError).hint ?? "", /SECONDARY_GOOGLE_APPLICATION_CREDENTIALS/);
});

test("a deadline and a signal end the wait for a token service that never answers", async (t) => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  process.env["AWS_ENDPOINT_URL_STS"] = `http://127.0.0.1:${port}`;
  t.teardown(() => {
    delete process.env["AWS_ENDPOINT_URL_STS"];
  });
  const webIdentityTokenFile = join(newFolder(), "token");
  writeFileSync(webIdentityTokenFile, "token");
  const roleArn = "arn:aws:iam::123456789012:role/x";
  const credentials = { accessKeyId: "a", secretAccessKey: "b" };
  const place = { provider: "S3", container: "b", prefix: "", region: "eu-central-1" } as const;
  for (const access of [
    { roleArn, webIdentityTokenFile },
    { roleArn, credentials },
  ]) {
    const quick = new S3Store({ ...place, ...access }, { connectMs: 2000, idleMs: 1000 });
    await t.throwsAsync(quick.head("k"), { code: "STORE_TRANSIENT" });
    await quick.close();
    const stop = new AbortController();
    const patient = new S3Store({ ...place, ...access }, { connectMs: 60_000, idleMs: 600_000 });
    const asked = patient.head("k", stop.signal);
    setTimeout(() => stop.abort(), 500);
    await t.throwsAsync(asked, { code: "INTERRUPTED" });
    await patient.close();
  }
});
