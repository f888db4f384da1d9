import type { FileThread, HashedFile } from "../threads/file-thread.js";
import type { BackupFile, BackupFiles } from "./backup-files.js";
import type { BackupKeys } from "./crypto/backup-keys.js";
import { ArchiveError, damaged } from "./errors.js";
import type { FileType } from "./format.js";
import { type Header, readHeader } from "./header.js";
import type { Manifest } from "./manifest/manifest.js";
import { type Chunk, readChunks } from "./seal/chunk-reader.js";
import type { SealPool } from "./seal/seal-pool.js";

/** How a file is read. */
export interface ReadOptions {
  /** The thread that checks the SHA-256 of the file; undefined: it is not checked. */
  readonly hashOn?: FileThread | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The sealed files of one backup, and the keys that open them. */
export class SealedFiles {
  readonly #contentBytes = new Map<string, number>();

  constructor(
    readonly files: BackupFiles,
    readonly manifest: Manifest,
    readonly keys: BackupKeys,
    readonly pool: SealPool,
  ) {}

  /** Bytes of content in a file that was read to its end. */
  contentBytes(name: string): number | undefined {
    return this.#contentBytes.get(name);
  }

  /** The chunks of a file: see {@link readChunks}. Throws DAMAGED, MISSING_FILE, DOES_NOT_BELONG. */
  async *chunks(
    name: string,
    type: FileType,
    number: number,
    options: ReadOptions = {},
  ): AsyncGenerator<Chunk> {
    const facts = this.manifest.files.find((file) => file.name === name);
    if (facts === undefined)
      throw new ArchiveError("MISSING_FILE", "it is not there", { file: name });
    const file = await this.files.open(name);
    let hash: HashedFile | undefined;
    try {
      hash = await options.hashOn?.open();
      const header = await this.header(file, name, type, number);
      const { signal } = options;
      let content = 0;
      for await (const chunk of readChunks({
        name,
        file,
        size: facts.size,
        headerBytes: header.length,
        key: this.keys.fileKey(type, number),
        chunkBytes: header.chunkBytes,
        pool: this.pool,
        ...(hash === undefined ? {} : { hash }),
        ...(signal === undefined ? {} : { signal }),
      })) {
        content += chunk.bytes.length;
        yield chunk;
      }
      this.#contentBytes.set(name, content);
      if (hash === undefined) return;
      const { sha256, size } = await hash.finish();
      if (sha256 !== facts.sha256 || size !== facts.size) {
        throw damaged("its SHA-256 is not the one in MANIFEST.json", { file: name });
      }
    } finally {
      await file.close();
      await hash?.abandon();
    }
  }

  /** The header of a file, checked to be authentic and of this file. */
  async header(from: BackupFile, file: string, type: FileType, number: number): Promise<Header> {
    const header = await readHeader(from, file);
    checkHeader(header, this.keys, { file, type, number }, "backup");
    return header;
  }
}

/**
 * Throws DAMAGED or DOES_NOT_BELONG unless a header is authentic and that of the file with this type and number. `whole`
 * is what the file is a part of, for messages.
 */
export function checkHeader(
  header: Header,
  keys: BackupKeys,
  expected: { readonly file: string; readonly type: FileType; readonly number: number },
  whole: "backup" | "stream",
): void {
  const { file, type, number } = expected;
  if (!keys.headerIsAuthentic(header)) {
    const isSame =
      Buffer.compare(header.backupId, keys.backupId) === 0 ||
      Buffer.compare(header.slotBytes, keys.headerSlots) === 0;
    if (!isSame) throw doesNotBelong(`it is a file of another ${whole}`, file);
    throw damaged("its header is not the one that was written", { file });
  }
  if (header.type !== type || header.number !== number) {
    throw doesNotBelong(`it is another file of this ${whole} under this name`, file);
  }
}

function doesNotBelong(message: string, file: string): ArchiveError {
  return new ArchiveError("DOES_NOT_BELONG", message, { file });
}
