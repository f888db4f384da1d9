import { type BackupFiles, readWhole } from "./backup-files.js";
import { ArchiveError, damaged } from "./errors.js";
import { FORMAT_VERSION, isBackupFile, MANIFEST_NAME } from "./format.js";

/** A file of a backup. */
export interface FileFacts {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export type BackupKind = "full" | "incremental";

/** MANIFEST.json: what a copier may know of a backup. Open, and not trusted by who has the passphrase. */
export interface Manifest {
  readonly format: number;
  /** 32 hex digits. */
  readonly id: string;
  readonly kind: BackupKind;
  /** Id of the backup that an incremental stands on. */
  readonly base: string | null;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly files: readonly FileFacts[];
}

/** Larger than the manifest of 100,000 files; a reader holds no more. */
const MAX_MANIFEST_BYTES = 32 << 20;

/** The one way to write a manifest: a reader refuses any other, so no byte of it can change unseen. */
export function encodeManifest(m: Manifest): string {
  const files = m.files.map(({ name, size, sha256 }) => ({ name, size, sha256 }));
  const { format, id, kind, base, startedAt, finishedAt } = m;
  const ordered = { format, id, kind, base, startedAt, finishedAt, files };
  return `${JSON.stringify(ordered, null, 2)}\n`;
}

/** Throws DAMAGED or UNSUPPORTED_VERSION. */
export function decodeManifest(text: string): Manifest {
  const wrong = (why: string, cause?: unknown) => damaged(why, { file: MANIFEST_NAME }, cause);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong("it is not JSON", error);
  }
  if (typeof value !== "object" || value === null) throw wrong("it is not a manifest");
  const m = value as Partial<Record<keyof Manifest, unknown>>;
  if (typeof m.format === "number" && Number.isInteger(m.format) && m.format > FORMAT_VERSION) {
    throw new ArchiveError("UNSUPPORTED_VERSION", `format version ${m.format}`, {
      file: MANIFEST_NAME,
      hint: "use a newer backuptool",
    });
  }
  const well =
    m.format === FORMAT_VERSION &&
    isHex(m.id, 32) &&
    (m.kind === "full" ? m.base === null : m.kind === "incremental" && isHex(m.base, 32)) &&
    typeof m.startedAt === "string" &&
    typeof m.finishedAt === "string" &&
    Array.isArray(m.files) &&
    m.files.every(isFileFacts);
  if (!well || encodeManifest(m as Manifest) !== text) {
    throw wrong("it is not as a manifest is written");
  }
  return m as Manifest;
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
    // Before it is read: a hostile store can name any length.
    const tooLong = () => damaged("it is too long", { file: MANIFEST_NAME });
    const bytes = await readWhole(file, MAX_MANIFEST_BYTES, tooLong);
    return decodeManifest(bytes.toString("utf8"));
  } finally {
    await file.close();
  }
}

function isMissing(error: unknown): boolean {
  if (error instanceof ArchiveError) return error.code === "MISSING_FILE";
  // The folder is a file.
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
