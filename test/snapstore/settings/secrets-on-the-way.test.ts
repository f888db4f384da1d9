import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { etcdSettings, skipSettings } from "../../../src/settings/declarations.js";
import { valuesOf } from "../../../src/settings/kinds.js";
import { storeConfig } from "../../../src/snapstore/settings/store-settings.js";
import { etcdOptions } from "../../../src/settings/etcd.js";
import { parseEndpoint } from "../../../src/sources/etcd/endpoint.js";
import { newFolder } from "../../support/folders.js";

function ofEtcd(args: Partial<Parameters<typeof etcdOptions>[0]>): string[] {
  const warnings: string[] = [];
  const defaults = valuesOf({ ...etcdSettings, ...skipSettings }, []);
  etcdOptions({ ...defaults, ...args }, (message) => warnings.push(message));
  return warnings;
}

test("an etcd password that is sent without TLS gives one warning, with the endpoints", (t) => {
  for (const login of [{ user: "root", password: "pw" }, { user: "root:pw" }]) {
    for (const [etcd, places] of [
      [["127.0.0.1:2379"], "127.0.0.1:2379"],
      [["http://db:1"], "db:1"],
      [["https://a:1", "http://b:2,c:3"], "b:2, c:3"],
    ] as const) {
      const warnings = ofEtcd({ etcd: [...etcd], ...login });
      t.is(warnings.length, 1);
      t.true(warnings[0]?.includes(`sent without TLS to ${places},`), warnings[0]);
      t.false(warnings[0]?.includes("pw"));
    }
    t.deepEqual(ofEtcd({ etcd: ["https://db:1"], ...login }), []);
    t.deepEqual(ofEtcd({ etcd: ["db:1"], cacert: "/ca.pem", ...login }), []);
  }
  t.deepEqual(ofEtcd({ etcd: ["http://db:1"] }), []);
});

test("the error for an invalid endpoint does not show the password in it", (t) => {
  for (const text of ["http://root:hunter2@db:1", "root:hunter2@db:1", "https://a@b:hunter2@db"]) {
    const error = t.throws(() => parseEndpoint(text));
    t.false(error?.message.includes("hunter2"), error?.message);
    t.true(error?.message.includes("@db"));
  }
});

test("a secret that is sent over http:// gives a warning, a key that only signs does not", (t) => {
  const json = join(newFolder(), "credentials.json");
  const key = { type: "authorized_user", client_id: "i", client_secret: "s", refresh_token: "r" };
  writeFileSync(json, JSON.stringify(key), { mode: 0o600 });
  const keystone = { OS_USERNAME: "u", OS_PASSWORD: "hunter2", OS_PROJECT_NAME: "p" };
  const azure = (endpoint: string, access: string) => ({
    AZURE_STORAGE_CONNECTION_STRING: `BlobEndpoint=${endpoint}/a;AccountName=a;${access}`,
  });
  const cases: [string, string | undefined, Record<string, string>, string | undefined][] = [
    ["swift://c", undefined, { OS_AUTH_URL: "http://k/v3", ...keystone }, "the password"],
    ["swift://c", undefined, { OS_AUTH_URL: "https://k/v3", ...keystone }, undefined],
    ["swift://c", "http://s/v1", { OS_AUTH_URL: "https://k/v3", ...keystone }, "the token"],
    ["gs://b", "http://g", { GOOGLE_APPLICATION_CREDENTIALS: json }, "the access token"],
    ["gs://b", "https://g", { GOOGLE_APPLICATION_CREDENTIALS: json }, undefined],
    ["gs://b", "http://g", { GOOGLE_EMULATOR_ENABLED: "true" }, undefined],
    ["azblob://c", undefined, azure("http://z", "SharedAccessSignature=hunter2"), "the SAS token"],
    ["azblob://c", undefined, azure("https://z", "SharedAccessSignature=hunter2"), undefined],
    ["azblob://c", undefined, azure("http://z", "AccountKey=aHVudGVyMg=="), undefined],
    [
      "azblob://c",
      "http://z/a",
      { AZURE_STORAGE_ACCOUNT: "a", AZURE_STORAGE_SAS_TOKEN: "hunter2" },
      "the SAS token",
    ],
    ["s3://b", "http://s", { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" }, undefined],
  ];
  for (const [store, endpoint, env, secret] of cases) {
    const flags = { store, ...(endpoint && { "store-endpoint-override": endpoint }) };
    const warnings: string[] = [];
    storeConfig(flags, "primary", env, (message) => warnings.push(message));
    const expected = secret === undefined ? [] : [`${secret} of the primary store is sent over`];
    t.is(warnings.length, expected.length, `${store} ${endpoint}: ${warnings}`);
    for (const [i, start] of expected.entries())
      t.true(warnings[i]?.startsWith(start), warnings[i]);
    t.false(warnings.join().includes("hunter2"));
  }
});
