import { BackupToolError } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { subjectOf } from "../key.js";

/** EACCES has different codes for a read and for a write. */
export type LocalAction = "read" | "write";

/** Maps an error of the file system to a StoreError. Errors of this program pass through. */
export function localFailure(
  error: unknown,
  context: { store: string; key: string; action: LocalAction },
): BackupToolError {
  if (error instanceof BackupToolError) return error;
  const { store, key, action } = context;
  const errno = errnoOf(error);
  const code = codeOf(errno, action);
  return new StoreError(code, `${subjectOf(key)}${MESSAGES[code] ?? errno}`, {
    store,
    cause: error,
    hint: code === "STORE_FULL" ? "make room or use another folder" : undefined,
  });
}

/** The code of a system error, such as `ENOENT`; empty for other errors. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

const MESSAGES: Partial<Record<StoreErrorCode, string>> = {
  STORE_NOT_FOUND: "not found",
  STORE_EXISTS: "exists already",
  STORE_FULL: "no space left",
  STORE_IMMUTABLE: "the folder is read-only, or this user may not write to it",
  STORE_CREDENTIALS: "this user may not read it",
};

function codeOf(errno: string, action: LocalAction): StoreErrorCode {
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
    case "EISDIR":
      return "STORE_NOT_FOUND";
    case "EEXIST":
      return "STORE_EXISTS";
    case "ENOSPC":
    case "EDQUOT":
      return "STORE_FULL";
    case "EROFS":
      return "STORE_IMMUTABLE";
    case "EACCES":
    case "EPERM":
      return action === "write" ? "STORE_IMMUTABLE" : "STORE_CREDENTIALS";
    // Temporary failures of a network file system or a busy machine.
    case "EIO":
    case "ESTALE":
    case "EAGAIN":
    case "EBUSY":
    case "EMFILE":
    case "ENFILE":
    case "ETIMEDOUT":
      return "STORE_TRANSIENT";
    default:
      return "STORE_FAILED";
  }
}
