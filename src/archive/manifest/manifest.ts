import type { BackupFiles } from "../backup-files.js";
import { ArchiveError } from "../errors.js";
import { isBackupFile, MANIFEST_NAME } from "../format.js";
import { type FileFacts, type Manifest, ManifestScanner } from "./manifest-scanner.js";

export type { BackupKind, FileFacts, Manifest } from "./manifest-scanner.js";

/** Bytes of the first read: most manifests whole (about 1,600 files). Further reads are larger. */
export const FIRST_READ_BYTES = 256 << 10;
const NEXT_READ_BYTES = 1 << 20;

/** The canonical form of a manifest: readers reject any other, so every changed byte is found. */
export function encodeManifest(m: Manifest): string {
  const files = m.files.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  const { format, id, kind, base, startedAt, finishedAt, etcdSnapshot } = m;
  // Without a value JSON has no key.
  const ordered = { format, id, kind, base, startedAt, finishedAt, etcdSnapshot, files };
  return `${JSON.stringify(ordered, null, 2)}\n`;
}

/** Throws DAMAGED or UNSUPPORTED_VERSION. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  const scanner = new ManifestScanner();
  scanner.push(bytes);
  return scanner.end();
}

export function isHex(value: unknown, digits: number): value is string {
  return typeof value === "string" && value.length === digits && /^[0-9a-f]+$/.test(value);
}

export function isFileFacts(value: unknown): value is FileFacts {
  if (typeof value !== "object" || value === null) return false;
  const f = value as Partial<Record<keyof FileFacts, unknown>>;
  return (
    typeof f.name === "string" &&
    /^(ARCHIVE\d{5}|INDEX|METADATA)\.bin$/.test(f.name) &&
    Number.isSafeInteger(f.size) &&
    (f.size as number) >= 0 &&
    isHex(f.sha256, 64)
  );
}

/** Throws NOT_A_BACKUP, UNFINISHED_BACKUP and as {@link decodeManifest}. */
export async function readManifest(files: BackupFiles): Promise<Manifest> {
  const file = await files.open(MANIFEST_NAME).catch(async (error: unknown) => {
    throw isMissing(error) ? await whyNoManifest(files) : error;
  });
  try {
    const scanner = new ManifestScanner();
    let buffer = Buffer.alloc(Math.min(file.size, FIRST_READ_BYTES));
    for (let at = 0; at < file.size; ) {
      const read = await file.read(buffer, at);
      if (read === 0) break;
      scanner.push(buffer.subarray(0, read));
      at += read;
      if (at >= FIRST_READ_BYTES && buffer.length < NEXT_READ_BYTES) {
        buffer = Buffer.alloc(NEXT_READ_BYTES);
      }
    }
    return scanner.end();
  } finally {
    await file.close();
  }
}

function isMissing(error: unknown): boolean {
  if (error instanceof ArchiveError) return error.code === "MISSING_FILE";
  // A file is in the place of the folder.
  return (error as NodeJS.ErrnoException).code === "ENOTDIR";
}

async function whyNoManifest(files: BackupFiles): Promise<Error> {
  let names: string[];
  try {
    names = await files.list();
  } catch (cause) {
    return new ArchiveError("NOT_A_BACKUP", `there is no folder ${files.where}`, { cause });
  }
  return names.some(isBackupFile)
    ? new ArchiveError("UNFINISHED_BACKUP", `the backup in ${files.where} is unfinished`, {
        hint: "remove the folder and make the backup again",
      })
    : new ArchiveError("NOT_A_BACKUP", `there is no backup in ${files.where}`);
}
