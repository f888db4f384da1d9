import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { FileThread, FolderError } from "../../src/threads/file-thread.js";
import { newFolder } from "../support/folders.js";

function shared(bytes: Uint8Array): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(bytes.length);
  Buffer.from(memory).set(bytes);
  return memory;
}

test("a file holds its pieces in their order, and its digest is theirs", async (t) => {
  const thread = new FileThread();
  t.teardown(() => thread.close());
  const folder = newFolder();
  const pieces = Array.from({ length: 12 }, (_, i) => randomBytes(i * 7777));
  const content = Buffer.concat(pieces);
  const expected = {
    size: content.length,
    sha256: createHash("sha256").update(content).digest("hex"),
  };
  for (const path of [join(folder, "file"), undefined]) {
    const file = await thread.open(path);
    await Promise.all(pieces.map((piece) => file.append(shared(piece), 0, piece.length)));
    t.deepEqual(await file.finish(), expected);
  }
  t.deepEqual(readdirSync(folder), ["file"]);
  t.deepEqual(readFileSync(join(folder, "file")), content);
});

test("a part of the memory is appended", async (t) => {
  const thread = new FileThread();
  t.teardown(() => thread.close());
  const file = await thread.open();
  await file.append(shared(Buffer.from("abcdef")), 2, 3);
  const sha256 = createHash("sha256").update("cde").digest("hex");
  t.deepEqual(await file.finish(), { size: 3, sha256 });
});

test("a temporary file is not replaced, and an abandoned one is removed", async (t) => {
  const thread = new FileThread();
  t.teardown(() => thread.close());
  const folder = newFolder();
  const path = join(folder, "file");
  const file = await thread.open(path);
  const error = await t.throwsAsync(thread.open(path), { instanceOf: FolderError });
  t.is(error.errno, "EEXIST");
  await file.abandon();
  t.deepEqual(readdirSync(folder), []);
});

test("closing rejects what is under way, and the file keeps its temporary name", async (t) => {
  const thread = new FileThread();
  const folder = newFolder();
  const file = await thread.open(join(folder, "file"));
  const memory = shared(randomBytes(8 << 20));
  const appended = file.append(memory, 0, memory.byteLength);
  const rejected = t.throwsAsync(appended, { message: "the thread is closed" });
  await thread.close();
  await rejected;
  await t.throwsAsync(file.finish(), { message: "the thread is closed" });
  t.false(existsSync(join(folder, "file")));
});
