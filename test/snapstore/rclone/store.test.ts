import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import type { RcloneConfig } from "../../../src/snapstore/config.js";
import { RcloneStore } from "../../../src/snapstore/rclone/store.js";
import { newUploadId } from "../../../src/snapstore/parts/upload-id.js";
import { newFolder } from "../../support/folders.js";
import { conformance, refused } from "../conformance.js";

const folder = newFolder();
const configFile = join(newFolder(), "rclone.conf");
writeFileSync(
  configFile,
  `[disk]\ntype = local\n\n[gone]\ntype = s3\nprovider = Ceph\nendpoint = http://127.0.0.1:1\naccess_key_id = a\nsecret_access_key = geheim\n`,
);
const config: RcloneConfig = {
  provider: "Rclone",
  container: `disk:${folder}`,
  prefix: "",
  configFile,
};

conformance("Rclone on a local remote", async (prefix) => new RcloneStore({ ...config, prefix }), {
  // At first the bytes are in rclone's memory, and are discarded with the connection.
  findsStaleUploads: false,
  serial: true,
});

test("leftovers of uploads are removed by age and prefix", async (t) => {
  const container = newFolder();
  const store = new RcloneStore({ ...config, container: `disk:${container}` });
  t.teardown(() => store.close());
  const left = join(container, ".backuptool-uploads", newUploadId(Date.now() - 7_200_000), "one");
  mkdirSync(left, { recursive: true });
  writeFileSync(join(left, "object"), "half of it");
  t.deepEqual(await store.list(""), { objects: [], folders: [] });
  t.deepEqual(await store.list("", { shallow: true }), { objects: [], folders: [] });
  t.is(await store.abortStaleUploads("", new Date(Date.now() - 8_000_000)), 0);
  const hour = new Date(Date.now() - 3_600_000);
  t.is(await store.abortStaleUploads("two/", hour), 0);
  t.is(await store.abortStaleUploads("", hour, { keep: ["two/", "one/"] }), 0);
  t.is(await store.abortStaleUploads("one/", hour, { keep: ["one/"] }), 0);
  t.is(await store.abortStaleUploads("one/", hour, { keep: ["two/"] }), 1);
  t.is(await store.abortStaleUploads("", hour), 0);
  t.false(existsSync(left));
});

test("a missing program or remote is named in the error", async (t) => {
  const without = new RcloneStore({ ...config, program: "/no/such/rclone" });
  const error = await refused(t, "STORE_FAILED", () => without.list(""));
  t.regex(error.hint ?? "", /install rclone/);
  const unknown = new RcloneStore({ ...config, container: "nothing:x" });
  t.teardown(() => unknown.close());
  const other = await refused(t, "STORE_FAILED", () => unknown.head("k"));
  t.regex(other.message, /config/);
});

test("a remote that does not respond is a retryable failure", async (t) => {
  const store = new RcloneStore({ ...config, container: "gone:bucket" });
  t.teardown(() => store.close());
  const error = await refused(t, "STORE_TRANSIENT", () => store.head("k"));
  t.false(error.message.includes("geheim"));
});

test("parameters in a remote are not in the name of the store", (t) => {
  const container = ":s3,access_key_id=a,secret_access_key=geheim:bucket";
  const { name, place } = new RcloneStore({ ...config, container });
  t.is(name, "rclone::s3,…:bucket");
  t.false(place.includes("geheim"));
});

test("a closed store does not start rclone again", async (t) => {
  const store = new RcloneStore({ ...config, prefix: "closed" });
  const upload = await store.startUpload("k", { partBytes: 5 << 20 });
  await upload.part(0, Buffer.alloc(5 << 20));
  await store.close();
  await upload.abort();
  await t.throwsAsync(store.head("k"), { message: /the store is closed/ });
});
