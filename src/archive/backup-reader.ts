import { createHash } from "node:crypto";
import { throwIfAborted } from "../errors.js";
import { inParallel } from "../flow/in-parallel.js";
import { type BackupFiles, readWhole, withFile } from "./backup-files.js";
import { BackupKeys, type PassphraseKeys } from "./crypto/backup-keys.js";
import { ArchiveError, damaged } from "./errors.js";
import { archiveName, FileType, INDEX_NAME, METADATA_NAME } from "./format.js";
import { decodeHeader, type Header } from "./header.js";
import type { IndexItem } from "./index/index-items.js";
import { IndexCheck } from "./index/index-check.js";
import { readIndexItems } from "./index/index-reader.js";
import { type FileFacts, type Manifest, readManifest } from "./manifest/manifest.js";
import { archiveFiles, checkManifest, decodeMetadata, type Metadata } from "./metadata.js";
import type { SealPool } from "./seal/seal-pool.js";
import { type ReadOptions, SealedFiles } from "./sealed-files.js";
import { whyNotOpened } from "./crypto/slot-copies.js";
import { readTar, type TarEvents } from "./tar/tar-reader.js";

/** Enough for METADATA.bin with 100,000 files. */
const MAX_METADATA_BYTES = 64 << 20;
/** Files to check at the same time: each costs two round trips in a store. */
const CHECKED_AT_ONCE = 8;

/** A complete backup, whose manifest, metadata and headers are checked. */
export class BackupReader {
  /** The folder or snapshot, for messages. */
  readonly where: string;
  readonly manifest: Manifest;
  readonly metadata: Metadata;
  readonly keys: BackupKeys;
  readonly #files: SealedFiles;

  private constructor(files: SealedFiles, metadata: Metadata) {
    this.where = files.files.where;
    this.manifest = files.manifest;
    this.keys = files.keys;
    this.metadata = metadata;
    this.#files = files;
  }

  /**
   * Opens METADATA.bin, and checks MANIFEST.json and the header and size of every file against it.
   * Throws ArchiveError of every code.
   */
  static async open(
    files: BackupFiles,
    passphrase: PassphraseKeys,
    pool: SealPool,
  ): Promise<BackupReader> {
    const manifest = await readManifest(files);
    const { header, keys, intact } = await openMetadataHeader(files, manifest, passphrase);
    if (!intact) throw notTheNamedFile();
    const sealed = new SealedFiles(files, manifest, keys, pool);
    const metadata = await readMetadata(sealed, header);
    checkManifest(manifest, metadata);
    await inParallel(metadata.files, CHECKED_AT_ONCE, (facts) =>
      checkFile(sealed, facts, metadata),
    );
    return new BackupReader(sealed, metadata);
  }

  /** Names of the ARCHIVE files, in order. */
  get archives(): readonly FileFacts[] {
    return archiveFiles(this.metadata);
  }

  /** The contents of the ARCHIVE file `number`. Throws DAMAGED. */
  async *readArchive(number: number, options: ReadOptions = {}): AsyncGenerator<TarEvents> {
    const name = archiveName(number);
    yield* readTar(this.#files.chunks(name, FileType.archive, number, options), name);
  }

  /** Items of INDEX.bin, some at a time; their bytes may be kept. Throws DAMAGED. */
  async *readIndex(options: ReadOptions = {}): AsyncGenerator<readonly IndexItem[]> {
    const check = new IndexCheck(this.metadata);
    for await (const items of readIndexItems(
      this.#files.chunks(INDEX_NAME, FileType.index, 0, options),
    )) {
      for (const item of items) check.item(item);
      yield items;
    }
    check.end();
  }

  /** Reads all of INDEX.bin. Throws DAMAGED. */
  async checkIndex(options: ReadOptions): Promise<void> {
    for await (const _ of this.readIndex(options)) throwIfAborted(options.signal);
  }

  /** Bytes of content in a file that was read to its end. */
  contentBytes(name: string): number | undefined {
    return this.#files.contentBytes(name);
  }
}

async function readMetadata(files: SealedFiles, header: Header): Promise<Metadata> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of files.chunks(METADATA_NAME, FileType.metadata, 0)) {
    length += chunk.bytes.length;
    if (length > MAX_METADATA_BYTES) {
      throw damaged("its facts are too long", { file: METADATA_NAME });
    }
    parts.push(Buffer.from(chunk.bytes));
    chunk.release();
  }
  const metadata = decodeMetadata(Buffer.concat(parts));
  checkChunkBytes(header, metadata, METADATA_NAME);
  if (metadata.id !== Buffer.from(header.backupId).toString("hex")) {
    throw damaged("its facts are those of another backup", { file: METADATA_NAME });
  }
  return metadata;
}

/** Checks size and header of a file. Throws DAMAGED, MISSING_FILE, DOES_NOT_BELONG. */
async function checkFile(files: SealedFiles, facts: FileFacts, metadata: Metadata): Promise<void> {
  const { name } = facts;
  await withFile(files.files, name, async (file) => {
    const { size } = file;
    if (size !== facts.size) {
      const how = size < facts.size ? "truncated" : "longer than it was";
      throw damaged(`${how}: ${size} bytes instead of ${facts.size}`, { file: name });
    }
    const isIndex = name === INDEX_NAME;
    const number = isIndex ? 0 : Number(/\d+/.exec(name)?.[0]);
    const type = isIndex ? FileType.index : FileType.archive;
    checkChunkBytes(await files.header(file, name, type, number), metadata, name);
  });
}

/** Throws DAMAGED where the chunk size of a file is not that of its backup. */
function checkChunkBytes(header: Header, { chunkBytes }: Metadata, file: string): void {
  if (header.chunkBytes === chunkBytes) return;
  throw damaged(
    `its header has chunks of ${header.chunkBytes} bytes, and METADATA.bin of ${chunkBytes}`,
    { file },
  );
}

/** Opens the keys in METADATA.bin. `intact` is whether the file has the size and digest in the manifest. */
async function openMetadataHeader(
  files: BackupFiles,
  manifest: Manifest,
  passphrase: PassphraseKeys,
): Promise<{ header: Header; keys: BackupKeys; intact: boolean }> {
  const facts = manifest.files.find((file) => file.name === METADATA_NAME);
  if (facts === undefined)
    throw damaged("it does not name METADATA.bin", { file: "MANIFEST.json" });
  const tooLong = () => damaged("it is too long", { file: METADATA_NAME });
  const bytes = await withFile(files, METADATA_NAME, (file) =>
    readWhole(file, MAX_METADATA_BYTES, tooLong),
  );
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const intact = sha256 === facts.sha256 && bytes.length === facts.size;
  try {
    const header = decodeHeader(bytes, METADATA_NAME);
    const keys = await BackupKeys.open(passphrase, header, METADATA_NAME).catch(
      async (error: unknown) => {
        throw intact ? await whyNotOpened(error, files, manifest, header, passphrase) : error;
      },
    );
    if (!keys.headerIsAuthentic(header)) throw notTheNamedFile();
    passphrase.proveDemand();
    if (manifest.id !== Buffer.from(header.backupId).toString("hex")) {
      throw new ArchiveError("DOES_NOT_BELONG", "it is a file of another backup", {
        file: METADATA_NAME,
      });
    }
    return { header, keys, intact };
  } catch (error) {
    // A wrong passphrase and a damaged slot look alike; the digest in the manifest decides.
    const doesNotBelong = error instanceof ArchiveError && error.code === "DOES_NOT_BELONG";
    if (intact || doesNotBelong) throw error;
    throw notTheNamedFile(error);
  }
}

function notTheNamedFile(cause?: unknown): ArchiveError {
  return damaged("it is not the file that MANIFEST.json names", { file: METADATA_NAME }, cause);
}
