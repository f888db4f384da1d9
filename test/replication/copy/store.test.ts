import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import test from "ava";
import { InterruptedError } from "../../../src/errors.js";
import { type CopySettings, copyStore } from "../../../src/replication/copy/store.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import { listSnapshots } from "../../../src/snapshots/catalog.js";
import { pruneIncomplete } from "../../../src/snapshots/prune.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { age, type ForgedSnapshot, forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const SETTINGS: Omit<CopySettings, "signal"> = {
  limits: {},
  maxParallelCopies: 4,
  minChunkBytes: 5 << 20,
  maxParallelChunks: 3,
  retries: { maxRetries: 3, backoffMs: 1 },
};

/** Whatever is a day old. */
const PRUNING = {
  olderThan: new Date(Date.now() - 86_400_000),
  dryRun: false,
  signal: new AbortController().signal,
  onRemoved: () => {},
  onKept: () => {},
  onProtected: () => {},
};

/** Two stores in folders, and a copy of all snapshots from one to the other. */
class Copying {
  readonly from = newFolder();
  readonly to = newFolder();
  readonly source = new SwitchableStore(storeIn(this.from));
  readonly target = new SwitchableStore(storeIn(this.to));
  readonly failed: { snapshot: string; code: string }[] = [];

  run(more: Partial<CopySettings> = {}) {
    this.failed.length = 0;
    this.source.calls.length = 0;
    this.target.calls.length = 0;
    const settings = { ...SETTINGS, signal: new AbortController().signal, ...more };
    const policy = copyRetryPolicy(settings.retries);
    return copyStore(
      new RetryingStore(this.source, policy),
      new RetryingStore(this.target, policy),
      settings,
      {
        onProgress: () => {},
        onCopied: () => {},
        onFailed: (snapshot, { code }) => this.failed.push({ snapshot, code }),
      },
    );
  }

  forge(options: Parameters<typeof forgeSnapshot>[1]): ForgedSnapshot {
    return forgeSnapshot(this.from, options);
  }

  /** Whether the target has identical files of a snapshot. */
  same({ name, folder }: ForgedSnapshot): boolean {
    const copy = join(this.to, name);
    if (!existsSync(copy)) return false;
    const files = readdirSync(folder).sort();
    if (files.join() !== readdirSync(copy).sort().join()) return false;
    return files.every((file) =>
      readFileSync(join(folder, file)).equals(readFileSync(join(copy, file))),
    );
  }

  complete(name: string): boolean {
    return existsSync(join(this.to, name, "MANIFEST.json"));
  }
}

function storeIn(container: string): LocalStore {
  return new LocalStore({ provider: "Local", container, prefix: "" });
}

function failure(code: StoreError["code"]): StoreError {
  return new StoreError(code, "as the test wants", { store: "test" });
}

test("complete snapshots are copied byte for byte, with files of many parts; unfinished ones are not", async (t) => {
  const copying = new Copying();
  const full = copying.forge({
    time: 1000,
    last: 9,
    sizes: [10, 12 << 20, (5 << 20) + 1, 5 << 20],
  });
  const incremental = copying.forge({ time: 2000, first: 10, last: 12, base: full });
  const unfinished = copying.forge({ time: 3000, unfinished: true });
  const totals = await copying.run();
  t.deepEqual(totals, { copied: 2, repaired: 0, present: 0, failed: 0 });
  t.true(copying.same(full));
  t.true(copying.same(incremental));
  t.false(existsSync(join(copying.to, unfinished.name)));
});

test("a base is complete before its incrementals, and each manifest is written last", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 6 << 20] });
  const one = copying.forge({ time: 2000, base: full, sizes: [10, 6 << 20] });
  const two = copying.forge({ time: 3000, base: one });
  await copying.run();
  const written = copying.target.calls
    .filter(({ call }) => call === "put" || call === "startUpload")
    .map(({ key }) => key);
  const files = (name: string): string[] => [name, name, name, `${name}/MANIFEST.json`];
  const expected = [full, one, two].flatMap(({ name }) => files(name));
  t.deepEqual(
    written.map((key) => (key.endsWith("MANIFEST.json") ? key : (key.split("/")[0] ?? ""))),
    expected,
  );
});

test("a second copy writes nothing and reads no archive file", async (t) => {
  const copying = new Copying();
  copying.forge({ time: 1000 });
  await copying.run();
  t.deepEqual(await copying.run(), { copied: 0, repaired: 0, present: 1, failed: 0 });
  for (const call of ["put", "startUpload", "delete"] as const) {
    t.deepEqual(copying.target.keysOf(call), []);
  }
  t.true(copying.source.keysOf("get").every((key) => key.endsWith("/MANIFEST.json")));
});

test("an interrupted copy continues: complete files are kept, others are replaced", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 2000, 3000, 4000] });
  await copying.run();
  const copy = join(copying.to, full.name);
  rmSync(join(copy, "MANIFEST.json"));
  rmSync(join(copy, "ARCHIVE00000.bin"));
  const bytes = readFileSync(join(copy, "ARCHIVE00001.bin"));
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  writeFileSync(join(copy, "ARCHIVE00001.bin"), bytes);
  t.deepEqual(await copying.run(), { copied: 1, repaired: 0, present: 0, failed: 0 });
  const put = copying.target.keysOf("put").filter((key) => !key.startsWith(".backuptool/"));
  t.deepEqual(put.sort(), [
    `${full.name}/ARCHIVE00000.bin`,
    `${full.name}/ARCHIVE00001.bin`,
    `${full.name}/MANIFEST.json`,
  ]);
  t.true(copying.same(full));
});

test("other content under the same name is repaired, and does not look complete meanwhile", async (t) => {
  for (const spoil of [
    (copy: string) => appendFileSync(join(copy, "MANIFEST.json"), " "),
    (copy: string) => rmSync(join(copy, "ARCHIVE00000.bin")),
    (copy: string) => appendFileSync(join(copy, "ARCHIVE00000.bin"), "more"),
  ]) {
    const copying = new Copying();
    const full = copying.forge({ time: 1000 });
    await copying.run();
    spoil(join(copying.to, full.name));
    copying.target.before = async (call, key) => {
      if (call !== "put" || key.endsWith("/MANIFEST.json")) return;
      const [one] = await listSnapshots(storeIn(copying.to), new AbortController().signal);
      t.not(one?.state, "complete", key);
    };
    t.deepEqual(await copying.run(), { copied: 0, repaired: 1, present: 0, failed: 0 });
    t.true(copying.same(full));
  }
});

test("a repair that is interrupted leaves a damaged snapshot, which no retention deletes", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 200, 300, 400] });
  await copying.run();
  const copy = join(copying.to, full.name);
  for (const file of ["ARCHIVE00000.bin", "ARCHIVE00002.bin"]) rmSync(join(copy, file));
  for (const file of readdirSync(copy)) age(join(copy, file), 1000);
  copying.target.before = (call, key) => {
    if (call === "put" && !key.endsWith("ARCHIVE00000.bin")) throw failure("STORE_FULL");
  };
  t.is((await copying.run({ maxParallelCopies: 1 })).failed, 1);
  age(join(copy, "ARCHIVE00000.bin"), 1000);
  t.true(copying.complete(full.name));
  const { signal } = new AbortController();
  const [left] = await listSnapshots(copying.target, signal);
  t.is(left?.state, "damaged");
  copying.target.before = () => {};
  await pruneIncomplete(copying.target, { ...PRUNING, onRemoved: () => t.fail() });
  t.is(readdirSync(copy).length, 5);
  t.deepEqual(await copying.run(), { copied: 0, repaired: 1, present: 0, failed: 0 });
  t.true(copying.same(full));
});

test("a file that only reading shows to be wrong is mended before the last missing one makes the copy whole", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 200, 300] });
  await copying.run();
  const copy = join(copying.to, full.name);
  rmSync(join(copy, "ARCHIVE00000.bin"));
  writeFileSync(join(copy, "INDEX.bin"), "x");
  const written: string[] = [];
  copying.target.before = (call, key) => {
    if (call === "put") written.push(key.slice(full.name.length + 1));
  };
  t.is((await copying.run()).repaired, 1);
  t.deepEqual(written.slice(0, 2), ["INDEX.bin", "ARCHIVE00000.bin"]);
  t.true(copying.same(full));
});

test("another backup in the target stays whole if the source's cannot be read", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 200] });
  const other = forgeSnapshot(copying.to, { time: 1000, sizes: [20, 200] });
  writeFileSync(join(full.folder, "ARCHIVE00000.bin"), Buffer.alloc(200));
  t.is((await copying.run()).failed, 1);
  t.deepEqual(copying.failed, [{ snapshot: full.name, code: "COPY_MISMATCH" }]);
  const [left] = await listSnapshots(copying.target, new AbortController().signal);
  t.is(left?.state, "complete");
  t.is(left?.facts?.id, other.id);
});

test("left-overs that a copy goes on with are not pruned meanwhile", async (t) => {
  for (const replaces of [false, true]) {
    const copying = new Copying();
    const full = copying.forge({ time: 1000, sizes: [10, 200, 300] });
    const old = forgeSnapshot(copying.to, { time: 1000, sizes: [20, 200], unfinished: !replaces });
    for (const file of readdirSync(old.folder)) age(join(old.folder, file), 1000);
    const kept: string[] = [];
    let pruned = false;
    copying.target.before = async (call, key) => {
      if (pruned || call !== "put" || !key.startsWith(full.name)) return;
      pruned = true;
      await pruneIncomplete(storeIn(copying.to), {
        ...PRUNING,
        onRemoved: ({ text }) => t.fail(text),
        onKept: ({ text }) => kept.push(text),
      });
    };
    t.is((await copying.run({ maxParallelCopies: 1 })).failed, 0);
    t.deepEqual(kept, [full.name]);
    t.true(copying.same(full));
    t.deepEqual((await copying.target.list(".backuptool/")).objects, []);
  }
});

test("another backup under the same name is replaced by the source's", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 200] });
  forgeSnapshot(copying.to, { time: 1000, sizes: [20, 200] });
  t.deepEqual(await copying.run(), { copied: 0, repaired: 1, present: 0, failed: 0 });
  t.true(copying.same(full));
});

test("a backup that has another name too does not replace a complete one in the target", async (t) => {
  const copying = new Copying();
  const old = copying.forge({ time: 1000 });
  const newer = copying.forge({ time: 2000, sizes: [10, 200] });
  await copying.run();
  rmSync(newer.folder, { recursive: true });
  cpSync(old.folder, newer.folder, { recursive: true });
  t.deepEqual(await copying.run(), { copied: 0, repaired: 0, present: 1, failed: 1 });
  const manifest = readFileSync(join(copying.to, newer.name, "MANIFEST.json"), "utf8");
  t.true(manifest.includes(newer.id));
  // Moved, and the target has it under its own name.
  rmSync(old.folder, { recursive: true });
  t.deepEqual(await copying.run(), { copied: 0, repaired: 0, present: 0, failed: 1 });
  t.true(copying.complete(newer.name));
});

test("a locked mismatch is reported each time, and its incrementals are not copied", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000 });
  const over = copying.forge({ time: 2000, base: full });
  const good = copying.forge({ time: 3000 });
  forgeSnapshot(copying.to, { time: 1000, sizes: [20, 200] });
  copying.target.before = (call, key) => {
    if (!key.startsWith(full.name)) return;
    if (call === "delete" || call === "startUpload" || call === "put")
      throw failure("STORE_IMMUTABLE");
  };
  for (const [copied, present] of [
    [1, 0],
    [0, 1],
  ]) {
    t.deepEqual(await copying.run(), { copied, repaired: 0, present, failed: 2 });
    t.deepEqual(copying.failed, [
      { snapshot: full.name, code: "STORE_IMMUTABLE" },
      { snapshot: over.name, code: "NO_BASE" },
    ]);
    // Without retries.
    const deletions = copying.target.keysOf("delete").filter((key) => key.startsWith(full.name));
    t.is(deletions.length, 1);
  }
  t.true(copying.same(good));
  t.false(existsSync(join(copying.to, over.name)));
});

test("retryable failures are retried, and the parts sent again", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 11 << 20] });
  const left = {
    startUpload: 1,
    part: 2,
    complete: 1,
    put: 1,
    get: 0,
    head: 0,
    list: 0,
    delete: 0,
  };
  copying.target.before = (call) => {
    if (left[call]-- > 0) throw failure("STORE_TRANSIENT");
  };
  t.deepEqual(await copying.run({ retries: { maxRetries: 5, backoffMs: 1 } }), {
    copied: 1,
    repaired: 0,
    present: 0,
    failed: 0,
  });
  t.true(copying.same(full));
});

test("a call that keeps failing is made once more than the number of retries, and its step is not retried", async (t) => {
  const copying = new Copying();
  const { name } = copying.forge({ time: 1000, sizes: [10, 10] });
  copying.target.before = (call, key) => {
    if (call === "put" && key.endsWith("ARCHIVE00000.bin")) throw failure("STORE_TRANSIENT");
  };
  t.is((await copying.run({ retries: { maxRetries: 3, backoffMs: 1 } })).failed, 1);
  t.deepEqual(copying.failed, [{ snapshot: name, code: "STORE_TRANSIENT" }]);
  t.is(copying.target.keysOf("put").filter((key) => key.endsWith("ARCHIVE00000.bin")).length, 4);
});

test("other failures are not retried", async (t) => {
  for (const code of ["STORE_CREDENTIALS", "STORE_FULL", "STORE_FAILED"] as const) {
    const copying = new Copying();
    const { name } = copying.forge({ time: 1000, sizes: [10, 10] });
    copying.target.before = (call) => {
      if (call === "put") throw failure(code);
    };
    t.is((await copying.run({ maxParallelCopies: 1 })).failed, 1);
    t.deepEqual(copying.failed, [{ snapshot: name, code }]);
    t.is(copying.target.keysOf("put").length, 1);
    t.false(copying.complete(name));
  }
});

test("corrupted bytes are detected and sent again; a corrupted source is not copied", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 2000] });
  let spoilt = 0;
  copying.source.spoil = (key, piece) => {
    if (!key.endsWith("ARCHIVE00000.bin") || spoilt++ > 0) return piece;
    const other = Buffer.from(piece);
    other[100] = (other[100] ?? 0) ^ 0x80;
    return other;
  };
  t.is((await copying.run()).copied, 1);
  t.true(copying.same(full));
  const bad = new Copying();
  const { name, folder } = bad.forge({ time: 1000, sizes: [10, 2000] });
  writeFileSync(join(folder, "ARCHIVE00000.bin"), Buffer.alloc(2000));
  t.is((await bad.run()).failed, 1);
  t.deepEqual(bad.failed, [{ snapshot: name, code: "COPY_MISMATCH" }]);
  t.false(bad.complete(name));
  t.deepEqual(readdirSync(join(bad.to, name)).sort(), ["INDEX.bin", "METADATA.bin"]);
});

test("a manifest that was misread is not copied", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000 });
  let reads = 0;
  copying.source.spoil = (key, piece) => {
    // The listing reads it first. The second read returns another valid manifest.
    if (!key.endsWith("MANIFEST.json") || reads++ !== 1) return piece;
    return Buffer.from(Buffer.from(piece).toString().replace("1970-01-01", "1971-01-01"));
  };
  t.is((await copying.run()).copied, 1);
  t.true(reads > 3);
  t.true(copying.same(full));
});

test("a snapshot that is damaged in the source is reported and the others are copied", async (t) => {
  const copying = new Copying();
  const damaged = copying.forge({ time: 1000 });
  const good = copying.forge({ time: 2000 });
  rmSync(join(damaged.folder, "METADATA.bin"));
  t.deepEqual(await copying.run(), { copied: 1, repaired: 0, present: 0, failed: 1 });
  t.deepEqual(copying.failed, [{ snapshot: damaged.name, code: "DAMAGED" }]);
  t.true(copying.same(good));
});

test("an incremental without its base is copied and reported", async (t) => {
  const copying = new Copying();
  const base = forgeSnapshot(newFolder(), { time: 1000 });
  const over = copying.forge({ time: 2000, base });
  t.is((await copying.run()).failed, 1);
  t.deepEqual(copying.failed, [{ snapshot: over.name, code: "NO_BASE" }]);
  t.true(copying.same(over));
});

test("an interruption ends a copy at once, and leaves nothing that looks complete", async (t) => {
  const copying = new Copying();
  const { name } = copying.forge({ time: 1000, sizes: [10, 20 << 20] });
  const stop = new AbortController();
  copying.target.before = (call) => {
    if (call === "part") stop.abort();
  };
  await t.throwsAsync(copying.run({ signal: stop.signal }), { instanceOf: InterruptedError });
  t.false(copying.complete(name));
  copying.target.before = () => {};
  t.is((await copying.run()).copied, 1);
});

test("two concurrent copies result in one complete snapshot", async (t) => {
  const copying = new Copying();
  const full = copying.forge({ time: 1000, sizes: [10, 200_000, 300_000] });
  const settings = { retries: { maxRetries: 10, backoffMs: 5 } };
  await Promise.all([copying.run(settings), copying.run(settings)]);
  await copying.run();
  t.true(copying.same(full));
});
