import { createHash, randomBytes } from "node:crypto";
import { encodeManifest } from "../../../src/archive/manifest/manifest.js";
import { snapshotName } from "../../../src/snapshots/name.js";
import type { SnapStore } from "../../../src/snapstore/store.js";

/** Writes a full backup of random bytes with a raw snapshot of this revision. */
export async function forgeFull(
  store: SnapStore,
  {
    time,
    revision,
    raw = true,
  }: { readonly time: number; readonly revision: number; readonly raw?: boolean },
): Promise<{ readonly name: string; readonly id: string }> {
  const name = snapshotName({ kind: "full", firstRevision: 0, lastRevision: revision, time }).text;
  const id = randomBytes(16).toString("hex");
  const at = new Date(time * 1000).toISOString();
  const files = ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"].map((file) => {
    const bytes = randomBytes(30);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    return { name: file, bytes, size: bytes.length, sha256 };
  });
  for (const { name: file, bytes } of files) await store.put(`${name}/${file}`, bytes);
  const manifest = encodeManifest({
    ...{ format: 1, id, kind: "full", base: null, startedAt: at, finishedAt: at, files },
    ...(raw && { etcdSnapshot: revision }),
  });
  await store.put(`${name}/MANIFEST.json`, Buffer.from(manifest));
  return { name, id };
}
