import { checkIn } from "./answer.js";
import { type Cbor, Items } from "./cbor.js";

/** docs/format.md, "MANIFEST.json" and "METADATA.bin". */
export interface FileFact {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

export interface SnapshotFacts {
  readonly revision: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly file: number;
  readonly firstPiece: number;
}

export interface Facts {
  readonly id: string;
  readonly base: string | null;
  readonly incremental: boolean;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly chunkBytes: number;
  readonly plainBytes: number;
  /** Undefined where Ceph was left out. */
  readonly pools: readonly string[] | undefined;
  readonly firstBatch: number;
  readonly restarts: number;
  /** Not without etcd, and not with a raw snapshot alone. */
  readonly hasRecords: boolean;
  readonly snapshot: SnapshotFacts | undefined;
  readonly counts: Readonly<Record<string, number>>;
  readonly files: readonly FileFact[];
}

const COUNTS = [
  "objects",
  "objectBytes",
  "unchangedObjects",
  "deletedObjects",
  "vanishedObjects",
  "missingObjects",
  "records",
  "unchangedKeys",
  "deletedKeys",
];
const OF_A_BASE = ["unchangedObjects", "deletedObjects", "unchangedKeys", "deletedKeys"];

export function isTime(value: unknown): value is string {
  if (typeof value !== "string") return false;
  const [, day] = /^\d{4}-\d\d-(\d\d)T[\d:]{8}\.\d{3}Z$/.exec(value) ?? [];
  return day !== undefined && new Date(value).getUTCDate() === Number(day);
}

/** Names of files: all ARCHIVE files in order, then these. */
export function areNamed(files: readonly { readonly name: string }[], ...last: string[]): boolean {
  const archives = files.length - last.length;
  const names = Array.from({ length: Math.max(0, archives) }, (_, i) => {
    return `ARCHIVE${String(i).padStart(5, "0")}.bin`;
  });
  const wanted = [...names, ...last];
  return archives >= 1 && archives <= 100_000 && files.every(({ name }, i) => name === wanted[i]);
}

export function factsIn(content: Buffer): Facts {
  const file = "METADATA.bin";
  let root: Cbor;
  try {
    const items = new Items(content);
    root = items.next();
    if (!items.ended) throw new Error("more than a map");
  } catch (error) {
    throw checkIn(file, false, String(error));
  }
  const at = (map: Cbor | undefined, key: string) =>
    map instanceof Map ? map.get(key) : undefined;
  const text = (map: Cbor | undefined, key: string): string => {
    const value = at(map, key);
    checkIn(file, typeof value === "string", key);
    return value;
  };
  const shortText = (map: Cbor | undefined, key: string): string => {
    const value = text(map, key);
    checkIn(file, Buffer.byteLength(value) <= 256, key);
    return value;
  };
  const count = (map: Cbor | undefined, key: string): number => {
    const value = at(map, key);
    checkIn(file, typeof value === "bigint" && value >= 0n && value < 2n ** 53n, key);
    return Number(value);
  };
  const hex = (value: Cbor | undefined, digits: number, key: string): string => {
    checkIn(
      file,
      typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value),
      key,
    );
    return value;
  };
  const list = (value: Cbor | undefined, key: string): Cbor[] => {
    checkIn(file, Array.isArray(value), key);
    return value;
  };
  checkIn(file, count(root, "format") === 1, "format");
  const kind = text(root, "kind");
  checkIn(file, kind === "full" || kind === "incremental", "kind");
  const id = hex(at(root, "id"), 32, "id");
  const base = at(root, "base");
  checkIn(file, kind === "full" ? base === null : hex(base, 32, "base") !== id, "base");
  for (const key of ["startedAt", "finishedAt"]) checkIn(file, isTime(at(root, key)), key);
  shortText(root, "toolVersion");
  if (at(root, "snapshot") !== undefined) shortText(root, "snapshot");
  const chunkBytes = count(root, "chunkBytes");
  checkIn(file, chunkBytes >= 1 && chunkBytes <= 64 << 20, "chunkBytes");
  const ceph = at(root, "ceph");
  let pools: string[] | undefined;
  if (ceph !== null) {
    shortText(ceph, "fsid");
    pools = list(at(ceph, "pools"), "pools").map((name) => {
      checkIn(file, typeof name === "string", "pools");
      return name;
    });
    checkIn(file, new Set(pools).size === pools.length, "pools");
    for (const name of ["poolIds", "poolsCreated"]) {
      const facts = at(ceph, name);
      if (facts !== undefined) checkIn(file, list(facts, name).length === pools.length, name);
    }
  }
  const etcd = at(root, "etcd");
  const [firstBatch, restarts] =
    etcd === null ? [0, 0] : [count(etcd, "firstBatch"), count(etcd, "restarts")];
  if (etcd !== null) {
    shortText(etcd, "clusterId");
    count(etcd, "revision");
  }
  checkIn(file, restarts > 0 || firstBatch === 0, "firstBatch");
  const mode = (etcd === null ? undefined : at(etcd, "mode")) ?? "records";
  checkIn(file, mode === "records" || mode === "raw" || mode === "both", "mode");
  const raw = (etcd === null ? undefined : at(etcd, "snapshot")) ?? null;
  checkIn(file, (raw === null) === (mode === "records"), "snapshot");
  let snapshot: SnapshotFacts | undefined;
  if (raw !== null) {
    snapshot = {
      revision: count(raw, "revision"),
      bytes: count(raw, "bytes"),
      sha256: hex(at(raw, "sha256"), 64, "sha256"),
      file: count(raw, "file"),
      firstPiece: count(raw, "firstPiece"),
    };
    const { bytes, revision } = snapshot;
    const compacted = count(raw, "compactRevision");
    checkIn(file, revision > 0 && bytes > 0 && compacted <= revision, "snapshot");
    checkIn(
      file,
      mode === "both" || (restarts === 0 && count(etcd, "revision") === revision),
      "revision",
    );
  }
  const held = at(root, "counts");
  const counts = Object.fromEntries(COUNTS.map((key) => [key, count(held, key)]));
  if (kind === "full") {
    for (const key of OF_A_BASE) checkIn(file, counts[key] === 0, key);
  }
  const files = list(at(root, "files"), "files").map((one) => ({
    name: text(one, "name"),
    size: count(one, "size"),
    sha256: hex(at(one, "sha256"), 64, "sha256"),
  }));
  checkIn(file, areNamed(files, "INDEX.bin"), "files");
  return {
    id,
    incremental: kind === "incremental",
    pools,
    hasRecords: etcd !== null && mode !== "raw",
    snapshot,
    chunkBytes,
    counts,
    files,
    base: typeof base === "string" ? base : null,
    startedAt: text(root, "startedAt"),
    finishedAt: text(root, "finishedAt"),
    plainBytes: count(root, "plainBytes"),
    firstBatch,
    restarts,
  };
}
