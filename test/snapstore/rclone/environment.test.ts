import { createHash, randomBytes } from "node:crypto";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { wrappers } from "../../../src/archive/crypto/sodium.js";
import { storeConfig } from "../../../src/snapstore/settings/store-settings.js";
import type { RcloneConfig } from "../../../src/snapstore/config.js";
import { RcloneStore } from "../../../src/snapstore/rclone/store.js";
import { newFolder } from "../../support/folders.js";
import { refused } from "../conformance.js";

const PLAIN = "[disk]\ntype = local\n";

function file(content: string, mode = 0o600): string {
  const path = join(newFolder(), "file");
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

function configured(
  env: Readonly<Record<string, string>>,
  role: "primary" | "secondary" = "primary",
  remote = `disk:${newFolder()}`,
): RcloneConfig {
  const flag = role === "primary" ? "store" : "secondary-store";
  const config = storeConfig({ [flag]: `rclone:${remote}` }, role, env);
  if (config?.provider !== "Rclone") throw new Error("this is no rclone");
  return config;
}

/** The variables that a real rclone was started with. */
async function seen(config: RcloneConfig): Promise<Record<string, string>> {
  const out = file("");
  const program = file(`#!/bin/sh\nenv -0 >${out}\nexec rclone "$@"\n`, 0o700);
  const store = new RcloneStore({ ...config, program });
  try {
    await store.head("nothing");
  } finally {
    await store.close();
  }
  const pairs = readFileSync(out, "utf8").split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.split("=")[0], pair.replace(/^[^=]*=/, "")]));
}

const EVERYTHING = {
  BACKUPTOOL_PASSPHRASE: "of-the-backup",
  AWS_SECRET_ACCESS_KEY: "of-the-primary",
  AWS_CA_BUNDLE: "/of/the/primary",
  AZURE_CLIENT_SECRET: "of-the-primary",
  GOOGLE_APPLICATION_CREDENTIALS: "/of/the/primary",
  OS_PASSWORD: "of-the-primary",
  RCLONE_CONFIG_PASS: "of-the-primary",
  RCLONE_CONFIG_OTHER_PASS: "of-the-primary",
  RCLONE_S3_SECRET_ACCESS_KEY: "of-the-primary",
  SECONDARY_AWS_SECRET_ACCESS_KEY: "of-the-secondary",
  SECONDARY_RCLONE_CONFIG_PASS: "of-the-secondary",
  SECONDARY_RCLONE_CONFIG_OTHER_PASS: "of-the-secondary",
  SOURCE_AWS_SECRET_ACCESS_KEY: "of-the-source",
  VAULT_TOKEN: "of-nobody",
  ETCDCTL_PASSWORD: "of-etcd",
  NODE_OPTIONS: "--no-warnings",
  https_proxy: "http://127.0.0.1:3128",
  no_proxy: "localhost .corp.example,  10.0.0.0/8",
};

test.serial(
  "rclone sees the variables of its own store and of the machine, and no others",
  async (t) => {
    const conf = file(PLAIN);
    const before = { ...process.env };
    t.teardown(() => {
      process.env = before;
    });
    Object.assign(process.env, EVERYTHING);
    const given = { ...EVERYTHING, RCLONE_CONFIG: conf, SECONDARY_RCLONE_CONFIG: conf };
    const ofThe = (env: Record<string, string>) =>
      Object.entries(env)
        .filter(([, value]) => /of-|of\//.test(value))
        .map(([name, value]) => `${name}=${value}`)
        .sort();
    const primary = await seen(configured(given));
    t.deepEqual(ofThe(primary), [
      "AWS_SECRET_ACCESS_KEY=of-the-primary",
      "AZURE_CLIENT_SECRET=of-the-primary",
      "GOOGLE_APPLICATION_CREDENTIALS=/of/the/primary",
      "OS_PASSWORD=of-the-primary",
      "RCLONE_CONFIG_OTHER_PASS=of-the-primary",
      "RCLONE_CONFIG_PASS=of-the-primary",
      "RCLONE_S3_SECRET_ACCESS_KEY=of-the-primary",
    ]);
    const secondary = await seen(configured(given, "secondary"));
    t.deepEqual(ofThe(secondary), [
      "AWS_SECRET_ACCESS_KEY=of-the-secondary",
      "RCLONE_CONFIG_OTHER_PASS=of-the-secondary",
      "RCLONE_CONFIG_PASS=of-the-secondary",
    ]);
    for (const env of [primary, secondary]) {
      t.is(env["PATH"], process.env["PATH"]);
      t.is(env["HTTPS_PROXY"], "http://127.0.0.1:3128");
      t.is(env["https_proxy"], undefined);
      t.is(env["NO_PROXY"], "localhost,.corp.example,10.0.0.0/8");
      t.is(env["NODE_OPTIONS"], undefined);
    }
  },
);

test.serial("variables that change rclone's output or its control have no effect", async (t) => {
  const disturbing = {
    RCLONE_LOG_FILE: join(newFolder(), "log"),
    RCLONE_QUIET: "true",
    RCLONE_USE_JSON_LOG: "true",
    RCLONE_LOG_LEVEL: "ERROR",
    RCLONE_SYSLOG: "true",
    RCLONE_STATS: "1s",
    RCLONE_RC_ADDR: "127.0.0.1:1",
    RCLONE_RC_NO_AUTH: "true",
    RCLONE_RC_BASEURL: "elsewhere",
    RCLONE_RC_CERT: "/no/such/file",
    RCLONE_RC_FILES: "/tmp",
    RCLONE_DRY_RUN: "true",
    RCLONE_IMMUTABLE: "true",
    RCLONE_MAX_TRANSFER: "1",
    RCLONE_EXCLUDE: "*",
    RCLONE_CONFIG_BACKUPTOOLSTORE_REMOTE: "disk:/elsewhere",
  };
  const before = { ...process.env };
  t.teardown(() => {
    process.env = before;
  });
  Object.assign(process.env, disturbing);
  const folder = newFolder();
  const env = { ...disturbing, RCLONE_CONFIG: file(PLAIN) };
  const store = new RcloneStore(configured(env, "primary", `disk:${folder}`));
  t.teardown(() => store.close());
  await store.put("key", Buffer.from("content"));
  t.is(readFileSync(join(folder, "key"), "utf8"), "content");
  const listed = await store.list("");
  t.deepEqual(
    listed.objects.map(({ key }) => key),
    ["key"],
  );
});

/** As `rclone config` encrypts a configuration. */
async function encrypted(config: string, password: string): Promise<string> {
  const sodium = await wrappers();
  const key = createHash("sha256").update(`[${password}][rclone-config]`).digest();
  const nonce = randomBytes(sodium.crypto_secretbox_NONCEBYTES);
  const sealed = sodium.crypto_secretbox_easy(Buffer.from(config), nonce, key);
  const text = Buffer.concat([nonce, sealed]).toString("base64");
  return file(`# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\n${text}\n`);
}

test("an encrypted rclone.conf without its password, or with a wrong one, names the variable", async (t) => {
  const conf = await encrypted(PLAIN, "right");
  const open = async (env: Record<string, string>, role: "primary" | "secondary") => {
    const store = new RcloneStore(configured(env, role));
    t.teardown(() => store.close());
    return await store.head("k");
  };
  const without = await refused(t, "STORE_CREDENTIALS", () =>
    open({ RCLONE_CONFIG: conf }, "primary"),
  );
  t.regex(without.message, /rclone\.conf is encrypted/);
  t.regex(without.hint ?? "", /set RCLONE_CONFIG_PASS /);
  const wrong = { SECONDARY_RCLONE_CONFIG: conf, SECONDARY_RCLONE_CONFIG_PASS: "a-wrong-one" };
  const other = await refused(t, "STORE_CREDENTIALS", () => open(wrong, "secondary"));
  t.regex(other.hint ?? "", /set SECONDARY_RCLONE_CONFIG_PASS /);
  t.false(other.message.includes("a-wrong-one"));
  const right = { RCLONE_CONFIG: conf, RCLONE_CONFIG_PASS: "right" };
  t.is(await open(right, "primary"), undefined);
  const command = { RCLONE_CONFIG: conf, RCLONE_PASSWORD_COMMAND: "echo right" };
  t.is(await open(command, "primary"), undefined);
});

test("the error for an rclone that ended has its last output, without secrets", async (t) => {
  const conf = file(PLAIN);
  const program = file(
    "#!/bin/sh\nprintf '2026/11/25 10:00:00 Fatal error: \\033[31mkey %s is bad\\n' \"$RCLONE_S3_SECRET_ACCESS_KEY\" >&2\nexit 7\n",
    0o700,
  );
  const env = { RCLONE_CONFIG: conf, RCLONE_S3_SECRET_ACCESS_KEY: "geheimnis" };
  const store = new RcloneStore({ ...configured(env), program });
  t.teardown(() => store.close());
  const error = await refused(t, "STORE_FAILED", () => store.head("k"));
  t.regex(
    error.message,
    /rclone does not start \(exit code 7\): Fatal error: {2}\[31mkey … is bad$/,
  );
});
