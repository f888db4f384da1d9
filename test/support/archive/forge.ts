import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { compress, decompress } from "zstd-napi";
import type { BackupKeys } from "../../../src/archive/crypto/backup-keys.js";
import { portableCipher } from "../../../src/archive/crypto/chunk-cipher.js";
import {
  chunkNonce,
  FileType,
  FRAME_BYTES,
  INDEX_NAME,
  MANIFEST_NAME,
  METADATA_NAME,
  TAG_BYTES,
} from "../../../src/archive/format.js";
import { decodeHeader, encodeHeader } from "../../../src/archive/header.js";
import { decodeManifest, encodeManifest } from "../../../src/archive/manifest/manifest.js";
import { encodeMetadata, type Metadata } from "../../../src/archive/metadata.js";

/** Tests seal the same bytes on every machine. */
const portable = await portableCipher();

/** The header and the ciphertext of each chunk of a sealed file. */
export interface SealedParts {
  readonly header: Buffer;
  readonly chunks: readonly Buffer[];
}

export function splitSealed(bytes: Buffer): SealedParts {
  const { length } = decodeHeader(bytes, "a file that is taken apart");
  const chunks: Buffer[] = [];
  for (let at = length; at < bytes.length; ) {
    const end = at + FRAME_BYTES + bytes.readUInt32LE(at);
    chunks.push(bytes.subarray(at + FRAME_BYTES, end));
    at = end;
  }
  return { header: bytes.subarray(0, length), chunks };
}

export function joinSealed({ header, chunks }: SealedParts): Buffer {
  return Buffer.concat([header, ...chunks.flatMap((chunk) => [u32(chunk.length), chunk])]);
}

function u32(value: number): Buffer {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
}

/** Seals what an attacker with the keys can seal. */
export abstract class FileForger {
  constructor(protected readonly keys: BackupKeys) {}

  /** Bytes of content in a full chunk. */
  protected abstract get chunkBytes(): number;

  /** A header with a valid MAC. */
  header(
    type: FileType,
    number: number,
    chunkBytes = this.chunkBytes,
    slots: readonly Uint8Array[] = [this.keys.slotBytes],
  ): Buffer {
    const unsigned = encodeHeader({
      type,
      number,
      backupId: this.keys.backupId,
      chunkBytes,
      slots,
    });
    return Buffer.concat([unsigned, this.keys.headerMac(unsigned)]);
  }

  /** One chunk around `frame`, which need not be a valid zstd frame. */
  chunk(type: FileType, number: number, index: number, last: boolean, frame: Uint8Array): Buffer {
    const out = Buffer.alloc(frame.length + TAG_BYTES);
    const key = this.keys.fileKey(type, number);
    portable.seal(out, [frame], chunkNonce(index, last), key);
    return out;
  }

  /** Plaintext of an unchanged file. */
  open(type: FileType, number: number, bytes: Buffer): Buffer {
    const { chunks } = splitSealed(bytes);
    const key = this.keys.fileKey(type, number);
    const plain = chunks.map((chunk, i) => {
      const frame = Buffer.alloc(chunk.length - TAG_BYTES);
      portable.open(frame, [chunk], chunkNonce(i, i === chunks.length - 1), key);
      return decompress(frame);
    });
    return Buffer.concat(plain);
  }

  /** A whole file of these zstd frames. */
  sealFrames(
    type: FileType,
    number: number,
    frames: readonly Uint8Array[],
    chunkBytes?: number,
  ): Buffer {
    const chunks = frames.map((frame, i) =>
      this.chunk(type, number, i, i === frames.length - 1, frame),
    );
    return joinSealed({ header: this.header(type, number, chunkBytes), chunks });
  }

  /** A whole file of this plaintext, in chunks of the format. */
  seal(type: FileType, number: number, plain: Buffer): Buffer {
    const frames: Buffer[] = [];
    const { chunkBytes } = this;
    for (let at = 0; at === 0 || at < plain.length; at += chunkBytes) {
      frames.push(compress(plain.subarray(at, at + chunkBytes)));
    }
    return this.sealFrames(type, number, frames);
  }
}

/** Writes what an attacker with the keys of a backup can write. */
export class Forger extends FileForger {
  readonly folder: string;
  #metadata: Metadata;

  constructor(folder: string, keys: BackupKeys, metadata: Metadata) {
    super(keys);
    this.folder = folder;
    this.#metadata = metadata;
  }

  protected override get chunkBytes(): number {
    return this.#metadata.chunkBytes;
  }

  /** Replaces a file, and updates METADATA.bin and MANIFEST.json. */
  async replace(name: string, bytes: Buffer): Promise<void> {
    await writeFile(join(this.folder, name), bytes);
    const facts = { name, size: bytes.length, sha256: sha256(bytes) };
    const files = this.#metadata.files.map((file) => (file.name === name ? facts : file));
    await this.setMetadata({ ...this.#metadata, files });
  }

  async replaceIndex(plain: Buffer): Promise<void> {
    await this.#replacePlain(INDEX_NAME, FileType.index, 0, plain);
  }

  async replaceArchive(name: string, number: number, tar: Buffer): Promise<void> {
    await this.#replacePlain(name, FileType.archive, number, tar);
  }

  /** Updates `plainBytes` too, so that only the fault is found. */
  async #replacePlain(name: string, type: FileType, number: number, plain: Buffer): Promise<void> {
    const before = this.open(type, number, await readFile(join(this.folder, name))).length;
    const plainBytes = this.#metadata.plainBytes - before + plain.length;
    this.#metadata = { ...this.#metadata, plainBytes };
    await this.replace(name, this.seal(type, number, plain));
  }

  /** The slot that opens, as it is in a header. */
  get slot(): Uint8Array {
    return this.keys.slotBytes;
  }

  /** All files with these slots in their headers. */
  async setSlots(slots: readonly Uint8Array[]): Promise<void> {
    for (const { name } of this.#metadata.files) {
      const bytes = await readFile(join(this.folder, name));
      const { type, number } = decodeHeader(bytes, name);
      const fileType = type === FileType.index ? FileType.index : FileType.archive;
      const header = this.header(fileType, number, this.#metadata.chunkBytes, slots);
      await this.replace(name, joinSealed({ ...splitSealed(bytes), header }));
    }
    await this.setMetadataSlots(slots);
  }

  /** METADATA.bin with these slots in its header. */
  async setMetadataSlots(slots: readonly Uint8Array[]): Promise<void> {
    const header = this.header(FileType.metadata, 0, this.#metadata.chunkBytes, slots);
    const { chunks } = splitSealed(await readFile(join(this.folder, METADATA_NAME)));
    await this.setMetadataFile(joinSealed({ header, chunks }));
  }

  async setMetadata(metadata: Metadata): Promise<void> {
    this.#metadata = metadata;
    await this.setMetadataPlain(Buffer.from(encodeMetadata(metadata)));
  }

  /** METADATA.bin around any bytes. */
  async setMetadataPlain(plain: Buffer): Promise<void> {
    await this.setMetadataFile(this.seal(FileType.metadata, 0, plain));
  }

  /** Any bytes as METADATA.bin, with a manifest that names them. */
  async setMetadataFile(bytes: Buffer): Promise<void> {
    await writeFile(join(this.folder, METADATA_NAME), bytes);
    const path = join(this.folder, MANIFEST_NAME);
    const manifest = decodeManifest(await readFile(path));
    const facts = { name: METADATA_NAME, size: bytes.length, sha256: sha256(bytes) };
    await writeFile(path, encodeManifest({ ...manifest, files: [...this.#metadata.files, facts] }));
  }

  get metadata(): Metadata {
    return this.#metadata;
  }
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
