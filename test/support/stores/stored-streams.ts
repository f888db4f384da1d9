import { createHash } from "node:crypto";
import { encodeManifest } from "../../../src/archive/manifest/manifest.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { type DeltaName, deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { parseStreamName, streamName } from "../../../src/snapshots/streams/stream-name.js";

/** The names of deltas that follow each other from revision `first` on, each with as many revisions as `lengths` says. */
export function deltasFrom(first: number, lengths: readonly number[], time = 1000): DeltaName[] {
  let next = first;
  return lengths.map((length, number) => {
    const delta = { number, first: next, last: next + length - 1, time: time + 10 * number };
    next += length;
    return delta;
  });
}

/** Writes files with the names of a stream's deltas, whose content says nothing. */
export async function putDeltas(
  store: SnapStore,
  stream: string,
  deltas: readonly DeltaName[],
): Promise<void> {
  for (const delta of deltas) {
    await store.put(`${stream}/${deltaName(delta)}`, Buffer.alloc(100 + delta.number));
  }
}

/** Writes files with the names and the manifest of a stream's base, whose content says nothing. */
export async function putBase(
  store: SnapStore,
  stream: string,
  id: string,
  {
    etcdSnapshot = (parseStreamName(stream)?.firstRevision ?? 0) - 1,
    base = null,
  }: { etcdSnapshot?: number; base?: string | null } = {},
): Promise<void> {
  const names = ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"];
  const at = new Date(1_000_000).toISOString();
  const files = names.map((name, i) => {
    const bytes = Buffer.alloc(10 + i, id);
    return { name, bytes, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  for (const { name, bytes } of files) await store.put(`${stream}/${name}`, bytes);
  const manifest = encodeManifest({
    ...{
      format: 1,
      id,
      kind: base === null ? "full" : "incremental",
      base,
      startedAt: at,
      finishedAt: at,
    },
    etcdSnapshot,
    files: files.map(({ name, bytes, sha256 }) => ({ name, size: bytes.length, sha256 })),
  });
  await store.put(`${stream}/MANIFEST.json`, Buffer.from(manifest));
}

/** An id whose digits begin as the number says. */
export function idOf(number: number): string {
  return number.toString(16).padStart(8, "0").padEnd(32, "0");
}

/** The name of a stream that has the id of {@link idOf}. */
export function nameOf(firstRevision: number, time: number, number = 1): string {
  return streamName({ firstRevision, time, id: idOf(number) }).text;
}
