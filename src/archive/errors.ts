import { BackupToolError } from "../errors.js";

/** Why an archive cannot be read: the codes of docs/format.md, "Readers". */
export type ArchiveErrorCode =
  | "NOT_A_BACKUP"
  | "UNFINISHED_BACKUP"
  | "UNSUPPORTED_VERSION"
  | "WRONG_PASSPHRASE"
  | "DAMAGED"
  | "MISSING_FILE"
  | "DOES_NOT_BELONG";

/** Where in a backup an error was found. */
export interface ArchivePlace {
  /** File name inside the backup, for example `ARCHIVE00000.bin`. */
  readonly file?: string;
  /** Chunk number in that file, from 0. */
  readonly chunk?: number;
}

/** An archive that cannot be read, or cannot be read further. */
export class ArchiveError extends BackupToolError {
  declare readonly code: ArchiveErrorCode;
  readonly file: string | undefined;
  readonly chunk: number | undefined;

  constructor(
    code: ArchiveErrorCode,
    message: string,
    options: ArchivePlace & { cause?: unknown; hint?: string } = {},
  ) {
    const { file, chunk } = options;
    const place = file === undefined ? "" : chunk === undefined ? file : `${file} chunk ${chunk}`;
    super(code, place === "" ? message : `${place}: ${message}`, {
      cause: options.cause,
      hint: options.hint,
    });
    this.file = file;
    this.chunk = chunk;
  }
}

/** An {@link ArchiveError} for bytes that are not those that were written. */
export function damaged(message: string, place: ArchivePlace = {}, cause?: unknown): ArchiveError {
  return new ArchiveError("DAMAGED", message, { ...place, cause });
}
