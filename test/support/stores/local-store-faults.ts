/**
 * Prints the errors of a LocalStore in a full and a read-only folder, as JSON. It mounts file systems, so it needs a
 * process of its own: unshare -rm node dist/test/support/stores/local-store-faults.js FOLDER
 */
import { execFileSync } from "node:child_process";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";

const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder]);
const store = new LocalStore({ provider: "Local", container: folder, prefix: "p" });
const large = Buffer.alloc(2 << 20);
const said: Record<string, string> = {};

async function ask(what: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
    said[what] = "done";
  } catch (error) {
    said[what] = error instanceof StoreError ? error.code : String(error);
  }
}

async function upload(): Promise<void> {
  const upload = await store.startUpload("upload", { partBytes: large.length });
  try {
    await upload.part(0, large);
  } finally {
    await upload.abort();
  }
}

await store.put("kept", Buffer.from("x"));
await ask("put, full", () => store.put("k", large));
await ask("upload, full", upload);
said["left, full"] = (await store.list("")).objects.map(({ key }) => key).join();
said["unfinished, full"] = String(
  await store.abortStaleUploads("", new Date(Date.now() + 86_400_000)),
);
await ask("put after that", () => store.put("small", Buffer.alloc(100_000)));

execFileSync("mount", ["-o", "remount,ro", folder]);
await ask("put, read-only", () => store.put("k", Buffer.from("x")));
await ask("upload, read-only", upload);
await ask("delete, read-only", () => store.delete("kept"));
await ask("head, read-only", () => store.head("kept"));
process.stdout.write(JSON.stringify(said));
