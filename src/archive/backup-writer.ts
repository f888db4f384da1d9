import { UsageError } from "../errors.js";
import type { BackupKeys } from "./crypto/backup-keys.js";
import type { BackupTarget } from "./backup-target.js";
import { CborWriter } from "./cbor.js";
import { EntryWriter } from "./tar/entry-writer.js";
import {
  archiveName,
  DEFAULT_CHUNK_BYTES,
  FileType,
  INDEX_NAME,
  MAX_ARCHIVE_FILES,
  METADATA_NAME,
} from "./format.js";
import { encodeHeader } from "./header.js";
import {
  encodeIndexedBackup,
  encodeIndexedKey,
  encodeIndexedObject,
  encodeIndexedPool,
  encodeIndexRestart,
  type IndexedKey,
  type IndexedObject,
  type Place,
} from "./index/index-items.js";
import { encodeManifest, type FileFacts } from "./manifest/manifest.js";
import { encodeMetadata, type Metadata } from "./metadata.js";
import type { SealPool } from "./seal/seal-pool.js";
import { SealedFileWriter, type SharedSlice } from "./seal/sealed-file-writer.js";
import { TAR_END } from "./tar/tar-header.js";

/** The part of METADATA.bin that is known only at the end. */
export type BackupFacts = Omit<Metadata, "format" | "id" | "chunkBytes" | "plainBytes" | "files">;

/** Writes one backup into an empty target, one entry after the other; `ready` gives back-pressure. */
export class BackupWriter extends EntryWriter {
  readonly #target: BackupTarget;
  readonly #keys: BackupKeys;
  readonly #level: number;
  readonly #archiveBytes: number;
  readonly #onFile: (name: string) => void;
  readonly #pool: SealPool;
  readonly #chunkBytes: number;
  readonly #files: FileFacts[] = [];
  readonly #item = new CborWriter();
  #plainBytes = 0;
  #archive: SealedFileWriter | undefined;
  #archiveNumber = -1;
  #index: SealedFileWriter | undefined;

  constructor(options: {
    target: BackupTarget;
    keys: BackupKeys;
    sealPool: SealPool;
    compressionLevel: number;
    archiveBytes: number;
    chunkBytes?: number;
    onFile?: (name: string) => void;
  }) {
    super();
    this.#target = options.target;
    this.#keys = options.keys;
    this.#level = options.compressionLevel;
    this.#archiveBytes = options.archiveBytes;
    this.#chunkBytes = options.chunkBytes ?? DEFAULT_CHUNK_BYTES;
    this.#onFile = options.onFile ?? (() => {});
    this.#pool = options.sealPool;
  }

  /** Starts the first files. `chain` holds the ids of the backups that the index refers to, the base first. */
  async start(chain: readonly Uint8Array[]): Promise<void> {
    this.#index = await this.#open(FileType.index, 0, INDEX_NAME);
    await this.#nextArchive();
    [this.#keys.backupId, ...chain].forEach((id, ordinal) => {
      encodeIndexedBackup(this.#newItem(), ordinal, id);
      this.#appendToIndex();
    });
  }

  /** Resolves when there is room for more; rejects when the target cannot be written. */
  override async ready(): Promise<void> {
    // Between two ARCHIVE files there is none; the index does not wait for the next.
    await this.#archive?.ready();
    await this.#current(this.#index).ready();
  }

  /**
   * The place of the next object or records. Starts another ARCHIVE file when `bytes` more would make this one too long:
   * all entries up to the next call are in one file.
   */
  async place(bytes: number): Promise<Place> {
    const archive = this.#current(this.#archive);
    if (archive.position > 0 && archive.sealedBytes + bytes > this.#archiveBytes) {
      await this.#nextArchive();
    }
    return { backup: 0, file: this.#archiveNumber, offset: this.#current(this.#archive).position };
  }

  /** Starts another ARCHIVE file, unless this one is still empty. Returns its number. */
  async beginFile(): Promise<number> {
    if (this.#current(this.#archive).position > 0) await this.#nextArchive();
    return this.#archiveNumber;
  }

  /** A part of the data, without a copy; `release` is called when its memory is free again. */
  data(slice: SharedSlice, release: () => void): void {
    this.#current(this.#archive).appendShared(slice, release);
  }

  /** Pads the data of an object that changed while it was read: its size is already in the tar. */
  async fill(bytes: number): Promise<void> {
    const zeros = Buffer.alloc(Math.min(bytes, this.#chunkBytes));
    for (let left = bytes; left > 0; left -= zeros.length) {
      this.#current(this.#archive).append(left < zeros.length ? zeros.subarray(0, left) : zeros);
      await this.ready();
    }
  }

  indexPool(pool: number, name: string): void {
    encodeIndexedPool(this.#newItem(), pool, name);
    this.#appendToIndex();
  }

  /** Voids the keys indexed so far. */
  indexRestart(): void {
    encodeIndexRestart(this.#newItem());
    this.#appendToIndex();
  }

  indexObject(item: Omit<IndexedObject, "kind">): void {
    encodeIndexedObject(this.#newItem(), item);
    this.#appendToIndex();
  }

  indexKey(item: Omit<IndexedKey, "kind">): void {
    encodeIndexedKey(this.#newItem(), item);
    this.#appendToIndex();
  }

  /** Finishes all files: METADATA.bin after the others, MANIFEST.json last. */
  async finish(facts: BackupFacts): Promise<Metadata> {
    await this.#finishArchive();
    const index = await this.#current(this.#index).finish();
    this.#index = undefined;
    this.#plainBytes += index.plainBytes;
    this.#files.push({ name: INDEX_NAME, size: index.size, sha256: index.sha256 });
    const id = Buffer.from(this.#keys.backupId).toString("hex");
    const metadata: Metadata = {
      format: 1,
      id,
      ...facts,
      chunkBytes: this.#chunkBytes,
      plainBytes: this.#plainBytes,
      files: this.#files,
    };
    const file = await this.#open(FileType.metadata, 0, METADATA_NAME);
    file.append(encodeMetadata(metadata));
    const { size, sha256 } = await file.finish();
    const { snapshot } = facts.etcd ?? {};
    const manifest = encodeManifest({
      format: 1,
      id,
      kind: facts.kind,
      base: facts.base,
      startedAt: facts.startedAt,
      finishedAt: facts.finishedAt,
      ...(snapshot && { etcdSnapshot: snapshot.revision }),
      files: [...this.#files, { name: METADATA_NAME, size, sha256 }],
    });
    await this.#target.finish(manifest);
    await this.close();
    return metadata;
  }

  /** Closes the target. Without `finish` before it, the backup stays unfinished. */
  async close(): Promise<void> {
    await this.#target.close();
  }

  #newItem(): CborWriter {
    this.#item.reset();
    return this.#item;
  }

  #appendToIndex(): void {
    this.#current(this.#index).append(this.#item.view());
  }

  protected override append(bytes: Uint8Array): void {
    this.#current(this.#archive).append(bytes);
  }

  protected override pad(bytes: number): void {
    this.#current(this.#archive).pad(bytes);
  }

  async #open(type: FileType, number: number, name: string): Promise<SealedFileWriter> {
    const unsigned = encodeHeader({
      type,
      number,
      backupId: this.#keys.backupId,
      chunkBytes: this.#chunkBytes,
      slots: [this.#keys.slotBytes],
    });
    const header = Buffer.concat([unsigned, this.#keys.headerMac(unsigned)]);
    const file = await this.#target.open(name);
    const key = this.#keys.fileKey(type, number);
    return new SealedFileWriter({
      file,
      pool: this.#pool,
      header,
      key,
      chunkBytes: this.#chunkBytes,
      level: this.#level,
    });
  }

  async #nextArchive(): Promise<void> {
    await this.#finishArchive();
    const number = this.#archiveNumber + 1;
    if (number >= MAX_ARCHIVE_FILES) {
      throw new UsageError(`a backup has at most ${MAX_ARCHIVE_FILES} ARCHIVE files`, {
        hint: "use larger files",
        settings: ["archive-size"],
      });
    }
    const name = archiveName(number);
    this.#archive = await this.#open(FileType.archive, number, name);
    this.#archiveNumber = number;
    this.#onFile(name);
  }

  async #finishArchive(): Promise<void> {
    if (this.#archive === undefined) return;
    this.#archive.append(TAR_END);
    const { size, sha256, plainBytes } = await this.#archive.finish();
    this.#archive = undefined;
    this.#plainBytes += plainBytes;
    this.#files.push({ name: archiveName(this.#archiveNumber), size, sha256 });
  }

  #current(file: SealedFileWriter | undefined): SealedFileWriter {
    if (file === undefined) throw new Error("the backup is not started, or is finished");
    return file;
  }
}
