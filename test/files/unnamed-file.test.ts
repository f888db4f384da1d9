import { readdirSync } from "node:fs";
import test from "ava";
import { unnamedFile } from "../../src/files/unnamed-file.js";
import { newFolder } from "../support/folders.js";

test("a file without a name holds what was written, and its folder stays empty", async (t) => {
  const folder = newFolder();
  const file = await unnamedFile(folder);
  try {
    t.deepEqual(readdirSync(folder), []);
    await file.write(Buffer.from("abc"), 0, 3, 5);
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, 0);
    t.deepEqual(buffer, Buffer.from("\0\0\0\0\0abc"));
    const { mode, size } = await file.stat();
    t.deepEqual({ mode: mode & 0o777, size }, { mode: 0o600, size: 8 });
  } finally {
    await file.close();
  }
});

test("a folder that does not exist is an error", async (t) => {
  await t.throwsAsync(unnamedFile("/nonexistent/folder"), { code: "ENOENT" });
});
