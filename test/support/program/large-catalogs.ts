/**
 * Syncs two stores with the same snapshots twice, and prints the calls of each run and the peak of its memory as JSON:
 * node dist/test/support/program/large-catalogs.js SNAPSHOTS FILES
 */
import { encodeManifest, type Manifest } from "../../../src/archive/manifest/manifest.js";
import { SecondarySync } from "../../../src/operations/snapshots/sync.js";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import { snapshotName } from "../../../src/snapshots/name.js";
import type { StoredObject } from "../../../src/snapstore/store.js";
import { type MemoryObject, MemoryStore } from "../stores/memory-store.js";
import { SwitchableStore } from "../stores/switchable-store.js";
import { peakKiB } from "./peak.js";

const [snapshots = 0, files = 0] = process.argv.slice(2).map(Number);

/** Each day a full backup, and an incremental each hour. */
const CHAIN = 24;
const ARCHIVE = Buffer.alloc(100);
const MODIFIED = new Date(1_700_000_000_000);

const names = new Map(
  Array.from({ length: snapshots }, (_, i) => {
    const kind = i % CHAIN === 0 ? ("full" as const) : ("incremental" as const);
    const time = 1_700_000_000 + 3600 * i;
    return [snapshotName({ kind, firstRevision: 0, lastRevision: 0, time }).text, i];
  }),
);
const archives = Array.from(
  { length: files - 3 },
  (_, i) => `ARCHIVE${String(i).padStart(5, "0")}`,
);
const fileNames = [...archives.map((name) => `${name}.bin`), "INDEX.bin", "METADATA.bin"];
const keys = [...names.keys()]
  .flatMap((name) => [...fileNames, "MANIFEST.json"].map((file) => `${name}/${file}`))
  .sort();

/** Makes the content of its objects when they are read. */
class LazyStore extends MemoryStore {
  protected override keys(): readonly string[] {
    return keys;
  }

  protected override read(key: string): MemoryObject | undefined {
    const [name = "", file] = key.split("/");
    const i = names.get(name);
    if (i === undefined || file === undefined) return undefined;
    const bytes = file === "MANIFEST.json" ? Buffer.from(encodeManifest(manifestOf(i))) : ARCHIVE;
    return { bytes, modified: MODIFIED, tag: `${i}` };
  }

  /** Without making a manifest. */
  protected override listed(key: string): StoredObject {
    return { key, size: ARCHIVE.length, modified: MODIFIED, tag: "tag" };
  }
}

function manifestOf(i: number): Manifest {
  const idOf = (number: number): string => number.toString(16).padStart(32, "0");
  const isFull = i % CHAIN === 0;
  const sha256 = "0".repeat(64);
  return {
    format: 1,
    id: idOf(i),
    kind: isFull ? "full" : "incremental",
    base: isFull ? null : idOf(i - 1),
    startedAt: MODIFIED.toISOString(),
    finishedAt: MODIFIED.toISOString(),
    files: fileNames.map((name) => ({ name, size: ARCHIVE.length, sha256 })),
  };
}

const stores = ["source", "target"].map((name) => new SwitchableStore(new LazyStore(name)));
const [source, target] = stores.map((store) => ({ store, catalog: new CachedCatalog(store) }));
if (source === undefined || target === undefined) throw new Error("two stores");
const sync = new SecondarySync(source, target);
const runs: unknown[] = [];
for (let run = 0; run < 2; run++) {
  const totals = await sync.run(
    {
      concurrentCopies: 10,
      minChunkBytes: 5 << 20,
      maxParallelChunks: 5,
      retries: { maxRetries: 3, backoffMs: 1 },
      directory: "",
      mirror: { maxDeleteFraction: 0.5, graceMs: 0 },
    },
    { signal: new AbortController().signal, report: () => {} },
  );
  const calls = stores.map((store) => {
    const counts: Record<string, number> = {};
    for (const { call } of store.calls) counts[call] = (counts[call] ?? 0) + 1;
    store.calls.length = 0;
    return counts;
  });
  runs.push({ calls, copied: totals.copied, lag: totals.lag.snapshots, peakKiB: peakKiB("VmHWM") });
}
process.stdout.write(JSON.stringify(runs));
