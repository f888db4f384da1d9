import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { archiveName, INDEX_NAME, METADATA_NAME } from "../../../src/archive/format.js";
import { encodeManifest } from "../../../src/archive/manifest/manifest.js";
import { snapshotName } from "../../../src/snapshots/name.js";

export interface ForgedSnapshot {
  readonly name: string;
  readonly id: string;
  readonly folder: string;
}

/**
 * Writes a snapshot of random bytes into the folder of a Local store. Without its passphrase it looks like a real one.
 */
export function forgeSnapshot(
  store: string,
  options: {
    readonly time: number;
    readonly base?: ForgedSnapshot;
    readonly first?: number;
    readonly last?: number;
    /** Bytes of METADATA.bin and of each ARCHIVE file; INDEX.bin has one byte. */
    readonly sizes?: readonly number[];
    /** Without a manifest. */
    readonly unfinished?: boolean;
    readonly id?: string;
  },
): ForgedSnapshot {
  const { time, base, first = 0, last = 0, sizes = [1000, 300], unfinished = false } = options;
  const kind = base === undefined ? "full" : "incremental";
  const name = snapshotName({ kind, firstRevision: first, lastRevision: last, time }).text;
  const folder = join(store, name);
  mkdirSync(folder, { recursive: true });
  const [ofMetadata = 0, ...ofArchives] = sizes;
  const named: [string, number][] = [
    ...ofArchives.map((size, i): [string, number] => [archiveName(i), size]),
    [INDEX_NAME, 1],
    [METADATA_NAME, ofMetadata],
  ];
  const files = named.map(([file, size]) => {
    const bytes = randomBytes(size);
    writeFileSync(join(folder, file), bytes);
    return { name: file, size, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  const id = options.id ?? randomBytes(16).toString("hex");
  const at = new Date(time * 1000).toISOString();
  const manifest = encodeManifest({
    format: 1,
    id,
    kind,
    base: base?.id ?? null,
    startedAt: at,
    finishedAt: at,
    files,
  });
  if (!unfinished) writeFileSync(join(folder, "MANIFEST.json"), manifest);
  return { name, id, folder };
}

/** Sets the time of the last write. */
export function age(path: string, seconds: number): void {
  utimesSync(path, seconds, seconds);
}
