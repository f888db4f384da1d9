import type { CompactOptions } from "../../../src/operations/history/compact.js";
import { CHEAP_KDF } from "../archive/sample.js";
import { newFolder } from "../folders.js";

/** To merge the newest raw snapshot of a store and the deltas after it. */
export function compactOptions(
  location: Extract<CompactOptions["location"], { kind: "snapshot" }>,
  unknownLeaseTtlSeconds: number,
): CompactOptions {
  const [config] = location.stores;
  if (config === undefined) throw new Error("no store");
  return {
    location,
    spoolDir: newFolder(),
    target: { kind: "newest" },
    unknownLeaseTtlSeconds,
    store: { config, minChunkBytes: 5 << 20, maxParallelChunks: 2 },
    kdf: CHEAP_KDF,
    archiveSize: 2 ** 30,
    compressionLevel: 1,
    toolVersion: "test",
  };
}
