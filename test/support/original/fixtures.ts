import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dumpPool } from "../ceph/client.js";

const FIXTURES = fileURLToPath(new URL("../../../../fixtures/original", import.meta.url));

export type FixtureSet = "intact" | "damaged";

/** Folder of an archive that the original tool wrote. */
export function originalFixture(set: FixtureSet, kind: "full" | "incremental"): string {
  return join(FIXTURES, set, kind);
}

interface ManifestObject {
  readonly omap: Readonly<Record<string, string>>;
  readonly xattrs: Readonly<Record<string, string>>;
  readonly sha256: string;
  readonly size: number;
}

/** What etcd and Ceph truly held when the archive was made. */
export interface TrueState {
  readonly etcd: Readonly<Record<string, { readonly value_b64: string }>>;
  /** By pool, then by `namespace/name`. */
  readonly pools: Readonly<Record<string, Readonly<Record<string, ManifestObject>>>>;
}

export function trueState(set: FixtureSet, kind: "full" | "incremental"): TrueState {
  return JSON.parse(readFileSync(join(FIXTURES, set, `manifest-at-${kind}.json`), "utf8"));
}

/** Objects of a manifest, in one order, as {@link poolState} has those of a pool. */
export function expectedState(objects: Readonly<Record<string, ManifestObject>>): unknown[] {
  return Object.entries(objects)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, { size, sha256, xattrs, omap }]) => ({
      path,
      size,
      sha256,
      xattrs: Object.entries(xattrs).sort(),
      omap: omapDigest(omap),
    }));
}

/** Digest of an omap as the independent client makes it. */
function omapDigest(omap: Readonly<Record<string, string>>): string {
  const digest = createHash("sha256");
  for (const [key, value] of Object.entries(omap).sort()) {
    for (const part of [Buffer.from(key), Buffer.from(value, "base64")]) {
      const length = Buffer.alloc(8);
      length.writeUInt32LE(part.length);
      digest.update(length).update(part);
    }
  }
  return digest.digest("hex");
}

/** What an independent client finds in a pool. */
export async function poolState(pool: string): Promise<unknown[]> {
  const text = (hex: string) => Buffer.from(hex, "hex").toString();
  const found = (await dumpPool(pool)).map((line) => {
    const { namespace, name, size, sha256, xattrs, omap } = JSON.parse(line);
    return {
      path: `${text(namespace)}/${text(name)}`,
      size,
      sha256,
      xattrs: xattrs.map(([key, value]: [string, string]) => [
        text(key),
        Buffer.from(value, "hex").toString("base64"),
      ]),
      omap,
    };
  });
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
