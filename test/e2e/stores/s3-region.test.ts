import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { storeConfig } from "../../../src/snapstore/settings/store-settings.js";
import { DEADLINES, s3Client } from "../../../src/snapstore/s3/client.js";
import { backuptool } from "../../support/program/backuptool.js";
import { newFolder } from "../../support/folders.js";

type Env = Readonly<Record<string, string>>;
const KEYS = { AWS_ACCESS_KEY_ID: "k", AWS_SECRET_ACCESS_KEY: "s" };

/** The region that the client of a store signs for, with the `AWS_…` variables of `env`. */
async function regionOf(
  env: Env,
  role: "primary" | "secondary" | "source" = "primary",
  endpoint?: string,
): Promise<string> {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (/^AWS_/.test(name)) delete process.env[name];
  Object.assign(process.env, env);
  const start = role === "primary" ? "" : `${role}-`;
  const flags = { [`${start}store`]: "s3://b", [`${start}store-endpoint-override`]: endpoint };
  const config = storeConfig(flags, role, env);
  if (config?.provider !== "S3") throw new Error("this is no S3");
  const client = s3Client(config, DEADLINES);
  try {
    return await client.config.region();
  } finally {
    client.destroy();
    process.env = before;
  }
}

test.serial(
  "AWS_DEFAULT_REGION counts where AWS_REGION is not set, for each store its own",
  async (t) => {
    t.is(await regionOf({ ...KEYS, AWS_DEFAULT_REGION: "eu-west-3" }), "eu-west-3");
    const both = { ...KEYS, AWS_DEFAULT_REGION: "eu-west-3", AWS_REGION: "eu-west-1" };
    t.is(await regionOf(both), "eu-west-1");
    t.is(await regionOf({ ...KEYS, AWS_DEFAULT_REGION: "x" }, "primary", "http://other"), "x");
    for (const role of ["secondary", "source"] as const) {
      const start = `${role.toUpperCase()}_`;
      const own = Object.fromEntries(Object.entries(KEYS).map(([n, v]) => [start + n, v]));
      t.is(await regionOf({ ...both, ...own }, role), "us-east-1");
      const given = { ...both, ...own, [`${start}AWS_DEFAULT_REGION`]: "eu-north-1" };
      t.is(await regionOf(given, role), "eu-north-1");
    }
  },
);

test.serial(
  "a credentials file without a region takes that of the variables, but only at Amazon",
  async (t) => {
    const file = join(newFolder(), "credentials.json");
    writeFileSync(file, JSON.stringify({ accessKeyID: "k", secretAccessKey: "s" }));
    const env = { AWS_APPLICATION_CREDENTIALS_JSON: file, AWS_DEFAULT_REGION: "eu-west-3" };
    t.is(await regionOf(env), "eu-west-3");
    t.is(await regionOf(env, "primary", "http://other"), "us-east-1");
  },
);

test.serial("the region of a profile is used at any server", async (t) => {
  const file = join(newFolder(), "config");
  const keys = "aws_access_key_id = k\naws_secret_access_key = s\n";
  writeFileSync(file, `[profile mine]\nregion = fr-par\n${keys}`);
  const env = { AWS_PROFILE: "mine", AWS_CONFIG_FILE: file };
  t.is(await regionOf(env), "fr-par");
  t.is(await regionOf(env, "primary", "http://other"), "fr-par");
  t.is(await regionOf({ ...env, AWS_DEFAULT_REGION: "nl-ams" }), "nl-ams");
});

test("doctor names the variables of a missing region", async (t) => {
  const folder = newFolder();
  const { code, stdout, stderr } = await backuptool(
    ["doctor", "--skip-etcd", "--skip-ceph", "--store", "s3://bucket"],
    {
      env: {
        ...KEYS,
        AWS_REGION: undefined,
        AWS_DEFAULT_REGION: undefined,
        AWS_CONFIG_FILE: join(folder, "none"),
        AWS_SHARED_CREDENTIALS_FILE: join(folder, "none"),
      },
    },
  );
  t.is(code, 1);
  t.regex(stdout.toString() + stderr, /set AWS_REGION or AWS_DEFAULT_REGION/);
});
