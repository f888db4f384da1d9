import { writeFileSync } from "node:fs";
import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { Azurite } from "../../support/stores/azurite.js";
import { env, PASSPHRASE, PROGRAM } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { GcsEmulator } from "../../support/stores/gcs-emulator.js";
import { runProcess } from "../../support/program/processes.js";
import { newBucket, radosgw } from "../../support/stores/s3-buckets.js";
import { newSwiftContainer } from "../../support/stores/swift-auth.js";

let etcd: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start();
  await etcd.put(Buffer.from("key"), Buffer.from("value"));
});
test.after.always(() => etcd?.stop());

/**
 * Runs the program as a uid without a passwd entry and without HOME. It may enter every folder: those of the clone and of
 * the test run may belong to root.
 */
function homeless(args: readonly string[], variables: Readonly<Record<string, string>>) {
  const capabilities = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"];
  const as = ["--reuid", "54321", "--regid", "54321", "--clear-groups", ...capabilities];
  return runProcess("setpriv", [...as, process.execPath, PROGRAM, ...args], {
    env: { BACKUPTOOL_PASSPHRASE: PASSPHRASE, ...variables, HOME: undefined },
    cwd: "/",
  });
}

async function createsAndLists(
  t: ExecutionContext,
  flags: readonly string[],
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const made = await homeless(
    ["create", "--skip-ceph", "--etcd", etcd.endpoint, ...flags],
    variables,
  );
  t.is(made.code, 0, made.stderr);
  const listed = await homeless(["snapshot", "list", ...flags], variables);
  t.is(listed.code, 0, listed.stderr);
  t.regex(listed.stdout.toString(), /Full-/);
}

test("without a home S3 works with the keys that are given", async (t) => {
  const { endpoint, credentials } = radosgw();
  const flags = ["--store", `s3://${await newBucket()}`, "--store-endpoint-override", endpoint];
  await createsAndLists(t, flags, {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
});

test("without a home Azure works", async (t) => {
  const azurite = await Azurite.start();
  t.teardown(() => azurite.stop());
  await azurite.newContainer("box");
  const flags = ["--store", "azblob://box", "--store-endpoint-override", azurite.endpoint];
  await createsAndLists(t, flags, {
    AZURE_STORAGE_ACCOUNT: azurite.account,
    AZURE_STORAGE_KEY: azurite.key,
  });
});

test("without a home Google works", async (t) => {
  const emulator = await GcsEmulator.start();
  t.teardown(() => emulator.stop());
  const flags = ["--store", "gs://backups", "--store-endpoint-override", emulator.url];
  await createsAndLists(t, flags, { GOOGLE_EMULATOR_ENABLED: "true" });
});

test("without a home Swift works", async (t) => {
  await newSwiftContainer("no-home");
  await createsAndLists(t, ["--store", "swift://no-home"], {
    ST_AUTH: env("SWIFT_AUTH"),
    ST_USER: env("SWIFT_USER"),
    ST_KEY: env("SWIFT_KEY"),
  });
});

test("without a home rclone and folders work", async (t) => {
  const conf = join(newFolder(), "rclone.conf");
  writeFileSync(conf, "[disk]\ntype = local\n");
  await createsAndLists(t, ["--store", `rclone:disk:${newFolder()}`], { RCLONE_CONFIG: conf });
  await createsAndLists(t, ["--store", `rclone:disk:${newFolder()}`], {
    RCLONE_CONFIG_DISK_TYPE: "local",
  });
  await createsAndLists(t, ["--store", `file://${newFolder()}`]);
});
