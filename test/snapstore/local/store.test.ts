import {
  existsSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  statfsSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import fc from "fast-check";
import { LimitedStore } from "../../../src/snapstore/layers/limited.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { MeteredStore } from "../../../src/snapstore/layers/metered.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";
import { conformance, listAll, refused } from "../conformance.js";

const container = join(newFolder(), "store");

conformance("Local", async (prefix) => new LocalStore({ provider: "Local", container, prefix }));

function newStore(): { store: LocalStore; folder: string } {
  const folder = newFolder();
  return { store: new LocalStore({ provider: "Local", container: folder, prefix: "" }), folder };
}

test("a full folder and a read-only one have distinct codes", async (t) => {
  const program = fileURLToPath(
    new URL("../../support/stores/local-store-faults.js", import.meta.url),
  );
  const args = ["-rm", process.execPath, program, newFolder()];
  const { code, stdout, stderr } = await runProcess("unshare", args);
  t.is(code, 0, stderr);
  t.deepEqual(JSON.parse(stdout.toString()), {
    "put, full": "STORE_FULL",
    "upload, full": "STORE_FULL",
    "left, full": "kept",
    "unfinished, full": "0",
    "put after that": "done",
    "put, read-only": "STORE_IMMUTABLE",
    "upload, read-only": "STORE_IMMUTABLE",
    "delete, read-only": "STORE_IMMUTABLE",
    "head, read-only": "done",
  });
});

test("unfinished files are not listed, and keys with such names are rejected", async (t) => {
  const { store, folder } = newStore();
  const upload = await store.startUpload("a/k", { partBytes: 10 });
  await upload.part(0, Buffer.from("x"));
  const [name = ""] = readdirSync(join(folder, "a"));
  t.regex(name, /^\.part-[0-9a-f]{16}$/);
  t.deepEqual(await store.list("a/"), { objects: [], folders: [] });
  await refused(t, "STORE_FAILED", () => store.put(`a/${name}`, Buffer.from("y")));
  await refused(t, "STORE_FAILED", () => store.delete(`a/${name}`));
  await upload.abort();
  t.deepEqual(readdirSync(join(folder, "a")), []);
});

test("leftovers of a killed process are stale by their last write", async (t) => {
  const { store, folder } = newStore();
  mkdirSync(join(folder, "a"));
  for (const [name, seconds] of [
    [".part-0123456789abcdef", 1000],
    [".part-fedcba9876543210", 3000],
  ] as const) {
    writeFileSync(join(folder, "a", name), "x");
    utimesSync(join(folder, "a", name), seconds, seconds);
  }
  t.is(await store.abortStaleUploads("", new Date(2_000_000)), 1);
  t.deepEqual(readdirSync(join(folder, "a")), [".part-fedcba9876543210"]);
});

test("the age of an unfinished file that is a link is that of the link, and its target is kept", async (t) => {
  const { store, folder } = newStore();
  const [old, young] = [".part-0123456789abcdef", ".part-fedcba9876543210"];
  for (const [name, ofLink, ofTarget] of [
    [old, 1000, 3000],
    [young, 3000, 1000],
  ] as const) {
    const target = join(newFolder(), "target");
    writeFileSync(target, "x");
    utimesSync(target, ofTarget, ofTarget);
    symlinkSync(target, join(folder, name));
    lutimesSync(join(folder, name), ofLink, ofLink);
  }
  const targets = [old, young].map((name) => readlinkSync(join(folder, name)));
  t.is(await store.abortStaleUploads("", new Date(2_000_000)), 1);
  t.deepEqual(readdirSync(folder), [young]);
  for (const target of targets) t.true(existsSync(target));
});

test("only files and folders are listed", async (t) => {
  const { store, folder } = newStore();
  await store.put("k", Buffer.from("x"));
  symlinkSync("/etc/passwd", join(folder, "link"));
  mkdirSync(join(folder, "empty/deeper"), { recursive: true });
  t.deepEqual((await listAll(store, "")).keys, ["k"]);
  t.deepEqual((await store.list("", { shallow: true })).folders, []);
});

test("other than regular files are rejected without blocking, and links are not followed", async (t) => {
  const { store, folder } = newStore();
  const outside = newFolder();
  writeFileSync(join(outside, "k"), "secret");
  mkdirSync(join(folder, "a"));
  t.is((await runProcess("mkfifo", [join(folder, "a/pipe")])).code, 0);
  t.is((await runProcess("mknod", [join(folder, "a/zero"), "c", "1", "5"])).code, 0);
  symlinkSync(join(outside, "k"), join(folder, "a/link"));
  symlinkSync("nowhere", join(folder, "a/dangling"));
  symlinkSync(outside, join(folder, "linked"));
  symlinkSync("loop", join(folder, "loop"));
  for (const key of ["a/pipe", "a/zero", "a/link", "a/dangling"]) {
    t.is(await store.head(key), undefined, key);
    await refused(t, "STORE_NOT_FOUND", () => store.get(key).next());
  }
  for (const key of ["a/link", "a/dangling"]) {
    await refused(t, "STORE_EXISTS", () => store.put(key, Buffer.from("x"), { ifAbsent: true }));
  }
  for (const key of ["linked/k", "linked/new/k", "loop/k"]) {
    t.is(await store.head(key), undefined, key);
    await refused(t, "STORE_FAILED", () => store.get(key).next());
    await refused(t, "STORE_FAILED", () => store.put(key, Buffer.from("x")));
    await refused(t, "STORE_FAILED", () => store.startUpload(key, { partBytes: 10 }));
    await refused(t, "STORE_FAILED", () => store.delete(key));
  }
  t.deepEqual((await store.list("linked/")).objects, []);
  t.is(await store.abortStaleUploads("linked/", new Date()), 0);
  t.deepEqual(readdirSync(outside), ["k"]);
  t.is(readFileSync(join(outside, "k"), "utf8"), "secret");
});

test("the folder of a store may be a link", async (t) => {
  const target = newFolder();
  const container = join(newFolder(), "link");
  symlinkSync(target, container);
  const store = new LocalStore({ provider: "Local", container, prefix: "p" });
  await store.put("a/k", Buffer.from("x"));
  t.deepEqual((await listAll(store, "")).keys, ["a/k"]);
  t.is(readFileSync(join(target, "p/a/k"), "utf8"), "x");
});

test("files and folders are accessible by their owner only", async (t) => {
  const { store, folder } = newStore();
  await store.put("a/k", Buffer.from("x"));
  t.is(statSync(join(folder, "a")).mode & 0o777, 0o700);
  t.is(statSync(join(folder, "a/k")).mode & 0o777, 0o600);
});

test("a folder with more names than a batch is listed in order, each name once", async (t) => {
  const { store, folder } = newStore();
  const keys: string[] = [];
  for (let i = 0; i < 4300; i++) {
    const name = String((i * 7919) % 4300).padStart(4, "0");
    // Some are folders, some of them empty.
    if (i % 10 < 7) {
      writeFileSync(join(folder, name), "");
      keys.push(name);
    } else {
      mkdirSync(join(folder, name));
      if (i % 10 === 7) continue;
      writeFileSync(join(folder, name, "x"), "");
      keys.push(`${name}/x`);
    }
  }
  for (const limit of [undefined, 1700]) {
    t.deepEqual((await listAll(store, "", { limit })).keys, keys.toSorted());
  }
  const shallow = await listAll(store, "", { shallow: true, limit: 900 });
  t.deepEqual(
    shallow.folders,
    keys
      .filter((k) => k.includes("/"))
      .map((k) => k.slice(0, 5))
      .sort(),
  );
});

test("listings are in the order of the UTF-8 bytes, with any keys and page sizes", async (t) => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "-", "/", "0", "é", "\ue000", "🗄") });
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(part), fc.integer({ min: 1, max: 5 }), async (names, limit) => {
      const { store } = newStore();
      const keys: string[] = [];
      for (const key of names) {
        const clean = key.split("/").every((segment) => segment !== "");
        const clash = (k: string) => k.startsWith(`${key}/`) || key.startsWith(`${k}/`);
        if (!clean || keys.some(clash)) continue;
        keys.push(key);
        await store.put(key, Buffer.from("x"));
      }
      keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      t.deepEqual((await listAll(store, "", { limit })).keys, keys);
      const { folders } = await listAll(store, "", { limit, shallow: true });
      const tops = keys.filter((k) => k.includes("/")).map((k) => k.slice(0, k.indexOf("/") + 1));
      t.deepEqual(folders, [...new Set(tops)]);
    }),
    { numRuns: 60 },
  );
});

test("a store reports the free space of its folder, through layers and before the folder exists", async (t) => {
  const container = join(newFolder(), "not", "yet");
  const metered = new MeteredStore(new LocalStore({ provider: "Local", container, prefix: "p" }));
  const { space } = await new RetryingStore(new LimitedStore(metered, { calls: 2 })).describe();
  const { blocks, bsize } = statfsSync(newFolder());
  t.is(space?.totalBytes, blocks * bsize);
  t.true(space !== undefined && space.freeBytes > 0 && space.freeBytes <= space.totalBytes);
  t.is(metered.counts.describe?.calls, 1);
});

test("a plain file in the place of the folder, or above it, is an error and no empty store", async (t) => {
  const file = join(newFolder(), "file");
  writeFileSync(file, "x");
  for (const container of [file, join(file, "store")]) {
    const store = new LocalStore({ provider: "Local", container, prefix: "" });
    const error = await refused(t, "STORE_FAILED", () => store.list(""));
    t.regex(error.message, /is not a folder|folder above it is a file/);
    await refused(t, "STORE_FAILED", () => store.head("k"));
    await refused(t, "STORE_FAILED", () => store.get("k").next());
    await refused(t, "STORE_FAILED", () => store.put("k", Buffer.from("x")));
    await refused(t, "STORE_FAILED", () => store.abortStaleUploads("", new Date()));
  }
});

test("a folder that was there before and is gone is an error, also for a store that is opened later", async (t) => {
  const folder = join(newFolder(), "mount", "store");
  const open = () => new LocalStore({ provider: "Local", container: folder, prefix: "" });
  t.deepEqual((await open().list("")).objects, []);
  await open().put("k", Buffer.from("x"));
  t.is((await open().list("")).objects.length, 1);
  renameSync(folder, `${folder}-elsewhere`);
  for (const call of [
    () => open().list(""),
    () => open().head("k"),
    () => open().get("k").next(),
    () => open().put("l", Buffer.from("x")),
    () => open().delete("k"),
  ]) {
    t.regex((await refused(t, "STORE_FAILED", call)).message, /was there before, and is gone/);
  }
  t.false(existsSync(folder));
  // What is below a file system that is not mounted.
  mkdirSync(folder);
  const error = await refused(t, "STORE_FAILED", () => open().put("l", Buffer.from("x")));
  t.regex(error.message, /an empty one is in its place/);
  t.deepEqual(readdirSync(folder), []);
  rmdirSync(folder);
  renameSync(`${folder}-elsewhere`, folder);
  t.is((await open().list("")).objects.length, 1);
  await open().put("l", Buffer.from("x"));
});

test("a folder that comes back as another one, with files, is used", async (t) => {
  const { store, folder } = newStore();
  await store.put("k", Buffer.from("x"));
  renameSync(folder, `${folder}-before`);
  mkdirSync(folder);
  writeFileSync(join(folder, "other"), "x");
  t.deepEqual(
    (await store.list("")).objects.map(({ key }) => key),
    ["other"],
  );
});
