import { CborError, CborReader } from "../../src/archive/cbor.js";
import { Chunk } from "../../src/archive/seal/chunk-reader.js";
import { decodeHead } from "../../src/archive/delta/delta-head.js";
import { decodeRevision } from "../../src/archive/delta/delta-revision.js";
import { decodePart, parsePath } from "../../src/archive/tar/entry-path.js";
import { ArchiveError } from "../../src/archive/errors.js";
import { decodeHeader } from "../../src/archive/header.js";
import { decodeIndexItem } from "../../src/archive/index/index-items.js";
import { decodeManifest, encodeManifest } from "../../src/archive/manifest/manifest.js";
import { decodeMetadata } from "../../src/archive/metadata.js";
import {
  decodeAttributes,
  decodeLease,
  decodePairs,
  decodeRecord,
  decodeTombstone,
} from "../../src/archive/records.js";
import {
  decodePax,
  decodeTarBlock,
  TAR_BLOCK,
  TarError,
} from "../../src/archive/tar/tar-header.js";
import { checkBackupName } from "../../src/snapshots/name-check.js";
import { snapshotName } from "../../src/snapshots/name.js";
import { deltaName, parseDeltaName } from "../../src/snapshots/streams/delta-name.js";
import { parseStreamName } from "../../src/snapshots/streams/stream-name.js";
import { readTar } from "../../src/archive/tar/tar-reader.js";

/** Real bytes of a backup to start from. */
export interface Seeds {
  readonly header: Buffer;
  readonly manifest: Buffer;
  readonly metadata: Buffer;
  readonly index: Buffer;
  readonly tar: Buffer;
  /** The plaintext of a delta. */
  readonly delta: Buffer;
}

export interface Decoder {
  readonly name: string;
  readonly seed: keyof Seeds;
  run(bytes: Buffer): void | Promise<void>;
  /** Whether this is an error that the decoder rejects input with. */
  rejects(error: unknown): boolean;
}

const archive = (error: unknown) => error instanceof ArchiveError;
const tar = (error: unknown) => error instanceof TarError;
const cbor = (error: unknown) => error instanceof CborError;

function sequence(name: string, seed: keyof Seeds, decode: (from: CborReader) => unknown): Decoder {
  return {
    name,
    seed,
    rejects: cbor,
    run: (bytes) => {
      const reader = new CborReader(bytes);
      while (!reader.atEnd) decode(reader);
    },
  };
}

/** The name in the metadata of {@link Seeds}. */
export const SEED_NAME = snapshotName({
  kind: "full",
  firstRevision: 0,
  lastRevision: 9,
  time: 1_767_323_045,
});

export const DECODERS: readonly Decoder[] = [
  { name: "header", seed: "header", rejects: archive, run: (b) => void decodeHeader(b, "f") },
  {
    name: "manifest",
    seed: "manifest",
    rejects: archive,
    // Only the bytes that were written are decoded to this.
    run: (bytes) => {
      if (encodeManifest(decodeManifest(bytes)) !== bytes.toString("latin1")) {
        throw new Error("bytes were read that no manifest has");
      }
    },
  },
  { name: "metadata", seed: "metadata", rejects: archive, run: (b) => void decodeMetadata(b) },
  {
    name: "own name",
    seed: "metadata",
    rejects: archive,
    run: (bytes) => void checkBackupName(SEED_NAME, decodeMetadata(bytes), "f"),
  },
  sequence("index items", "index", decodeIndexItem),
  sequence("records", "index", decodeRecord),
  sequence("attributes", "index", decodeAttributes),
  sequence("pairs", "index", decodePairs),
  sequence("leases", "index", decodeLease),
  sequence("tombstones", "index", decodeTombstone),
  {
    name: "delta",
    seed: "delta",
    rejects: cbor,
    run: (bytes) => {
      const reader = new CborReader(bytes);
      decodeHead(reader);
      while (!reader.atEnd) decodeRevision(reader);
    },
  },
  {
    name: "delta's name",
    seed: "delta",
    rejects: () => false,
    // Only the text that was written is parsed to this.
    run: (bytes) => {
      const text = bytes.toString("latin1", 0, 60);
      const [delta, stream] = [parseDeltaName(text), parseStreamName(text)];
      if (delta !== undefined && deltaName(delta) !== text) throw new Error("another name");
      if (stream !== undefined && stream.text !== text) throw new Error("another name");
    },
  },
  {
    name: "tar block",
    seed: "tar",
    rejects: tar,
    run: (bytes) => void decodeTarBlock(Buffer.concat([bytes, Buffer.alloc(TAR_BLOCK)])),
  },
  { name: "pax", seed: "tar", rejects: tar, run: (b) => void decodePax(b.subarray(TAR_BLOCK)) },
  {
    name: "path",
    seed: "tar",
    rejects: () => false,
    run: (bytes) => {
      parsePath(bytes.toString("latin1", 0, 100));
      decodePart(bytes.toString("latin1", 0, 100));
    },
  },
  {
    name: "tar",
    seed: "tar",
    rejects: archive,
    run: async (bytes) => {
      for await (const { chunk } of readTar(chunksOf(bytes), "f")) chunk.release();
    },
  },
];

async function* chunksOf(bytes: Buffer): AsyncGenerator<Chunk> {
  for (let at = 0; at < bytes.length; at += 700) {
    yield new Chunk(bytes.subarray(at, at + 700), () => {});
  }
}
