import { createHash, randomBytes } from "node:crypto";
import { FileType } from "../../../src/archive/format.js";
import { encodeHeader } from "../../../src/archive/header.js";
import { encodeManifest } from "../../../src/archive/manifest/manifest.js";
import { type DeltaName, deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { type StreamName, streamName } from "../../../src/snapshots/streams/stream-name.js";
import type { SnapStore } from "../../../src/snapstore/store.js";

const TYPE_AT = 8;
const DELTA_TYPE = 4;

/** A file with the header of a delta, and one chunk that no key opens. */
export function forgedDelta(id: string, number: number, content: Uint8Array): Buffer {
  const header = Buffer.from(
    encodeHeader({
      type: FileType.metadata,
      number,
      backupId: Buffer.from(id, "hex"),
      chunkBytes: 1 << 20,
      slots: [],
    }),
  );
  header[TYPE_AT] = DELTA_TYPE;
  const length = Buffer.alloc(4);
  length.writeUInt32LE(content.length);
  return Buffer.concat([header, randomBytes(32), length, content]);
}

export interface ForgedStream {
  readonly name: StreamName;
  readonly id: string;
  readonly deltas: readonly DeltaName[];
}

/**
 * Writes a stream of deltas, each with as many revisions as `lengths` says. Without its passphrase it looks like a real
 * one.
 */
export async function forgeStream(
  store: SnapStore,
  options: {
    readonly first: number;
    readonly time: number;
    readonly lengths?: readonly number[];
    readonly id?: string;
    /** With a raw snapshot in its folder: its bytes. */
    readonly base?: number;
    /** The base without its manifest. */
    readonly unfinished?: boolean;
    /** Seconds from one delta to the next. */
    readonly every?: number;
    /** Bytes of each delta's content. */
    readonly bytes?: number;
  },
): Promise<ForgedStream> {
  const { first, time, lengths = [1, 1, 1], every = 10, bytes = 100 } = options;
  const id = options.id ?? randomBytes(16).toString("hex");
  const name = streamName({ firstRevision: first, time, id });
  let next = first;
  const deltas = lengths.map((length, number): DeltaName => {
    const delta = {
      number,
      first: next,
      last: next + length - 1,
      time: time + every * (number + 1),
    };
    next += length;
    return delta;
  });
  if (options.base !== undefined) await forgeBase(store, name, id, options.base, options);
  for (const delta of deltas) {
    const content = forgedDelta(id, delta.number, randomBytes(bytes));
    await store.put(`${name.text}/${deltaName(delta)}`, content);
  }
  return { name, id, deltas };
}

async function forgeBase(
  store: SnapStore,
  name: StreamName,
  id: string,
  size: number,
  { unfinished }: { readonly unfinished?: boolean },
): Promise<void> {
  const at = new Date(name.time * 1000).toISOString();
  const names = ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin"];
  const files = names.map((file) => {
    const bytes = randomBytes(size);
    return { name: file, bytes, size, sha256: createHash("sha256").update(bytes).digest("hex") };
  });
  for (const { name: file, bytes } of files) await store.put(`${name.text}/${file}`, bytes);
  if (unfinished) return;
  const manifest = encodeManifest({
    ...{ format: 1, id, kind: "full", base: null, startedAt: at, finishedAt: at },
    etcdSnapshot: name.firstRevision - 1,
    files,
  });
  await store.put(`${name.text}/MANIFEST.json`, Buffer.from(manifest));
}
