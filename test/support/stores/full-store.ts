/**
 * Deletes snapshots and begins epochs in a full Local store, and prints what became of that as JSON. It mounts a file
 * system, so it needs a process of its own: unshare -rm node dist/test/support/stores/full-store.js FOLDER
 */
import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, openSync, readdirSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { StoreError } from "../../../src/snapstore/errors.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { deletePlanned } from "../../../src/snapshots/control/delete-planned.js";
import { takeEpoch } from "../../../src/snapshots/control/epochs.js";
import { readStoreTime } from "../../../src/snapshots/control/store-time.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { forgeSnapshot } from "./forged-snapshots.js";

const [folder = ""] = process.argv.slice(2);
execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", folder]);
const store = new LocalStore({ provider: "Local", container: folder, prefix: "" });
const { signal } = new AbortController();
const said: Record<string, unknown> = {};

/** Takes all room that is left. */
function fill(): void {
  const file = openSync(join(folder, "filling"), "a");
  try {
    for (;;) writeSync(file, randomBytes(4096));
  } catch {
    // No space left.
  } finally {
    closeSync(file);
  }
}

async function ask(what: string, call: () => Promise<unknown>): Promise<void> {
  try {
    said[what] = await call();
  } catch (error) {
    said[what] = error instanceof StoreError ? error.code : String(error);
  }
}

async function deleteOldest(): Promise<string[]> {
  const targets = (await listSnapshots(store, signal)).slice(0, 1);
  const names: string[] = [];
  await deletePlanned(store, targets, {
    waitMs: 0,
    recheck: async () => new Set(targets.map(({ name }) => name.text)),
    onDeleted: ({ text }) => names.push(text),
    onFailed: ({ text }, { code }) => names.push(`${text} ${code}`),
    signal,
  });
  return names;
}

const reserve = () => readdirSync(join(folder, ".backuptool", "reserve")).length;
const forged = [1000, 2000, 3000].map((time) =>
  forgeSnapshot(folder, { time, sizes: [1000, 200_000] }),
);
said["names"] = forged.map(({ name }) => name);

fill();
await ask("deletion without a reserve", deleteOldest);
rmSync(join(folder, "filling"));
await ask("first epoch", async () => (await takeEpoch(store, "one", signal)).number);
said["reserve"] = reserve();
fill();
await ask("any put", () => store.put("k", randomBytes(4096)));
await ask("epoch in the full store", async () => (await takeEpoch(store, "two", signal)).number);
said["reserve after the epoch"] = reserve();
fill();
await ask("deletion in the full store", deleteOldest);
said["reserve after the deletion"] = reserve();
fill();
await ask("second deletion", deleteOldest);
fill();
await ask("time of the full store", async () => (await readStoreTime(store, signal)) > new Date(0));
said["left"] = (await listSnapshots(store, signal)).map(({ name }) => name.text);
process.stdout.write(JSON.stringify(said));
