import { BackupToolError, type ErrorDetails } from "../../../errors.js";

/** Stable codes of {@link EtcdFileError}. */
export type EtcdFileErrorCode =
  /** The file is no database of etcd. */
  | "ETCD_FILE_NOT_A_DATABASE"
  /** The end of the file is missing. */
  | "ETCD_FILE_TRUNCATED"
  /** The file is not what etcd wrote. */
  | "ETCD_FILE_DAMAGED"
  /** The file may be whole, but is of a kind that this program does not read. */
  | "ETCD_FILE_UNSUPPORTED"
  /** The SHA-256 at the end of a snapshot is absent or that of other bytes. */
  | "ETCD_FILE_DIGEST"
  /** The revision is not, or no longer, in the database and its log. */
  | "ETCD_FILE_REVISION"
  /** The changes that were given are not those that follow the database. */
  | "ETCD_FILE_LOG"
  /** The system cannot read or write the file. */
  | "ETCD_FILE_IO";

/** A database file of etcd cannot be read, or the one that was asked for cannot be made. */
export class EtcdFileError extends BackupToolError {
  declare readonly code: EtcdFileErrorCode;
  /** Which file. */
  readonly where: string;
  /** Number of the page that the error was found in. */
  readonly page: number | undefined;

  constructor(
    code: EtcdFileErrorCode,
    where: string,
    problem: string,
    options: ErrorDetails & { page?: number | undefined } = {},
  ) {
    const place = options.page === undefined ? where : `${where}, page ${options.page}`;
    super(code, `${place}: ${problem}`, options);
    this.where = where;
    this.page = options.page;
  }
}
