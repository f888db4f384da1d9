import { BackupToolError } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";

/** What was being done: a refusal means something else to a reader than to a writer. */
export type LocalAction = "read" | "write";

/** The StoreError for what the file system said. Errors of this program pass through. */
export function localFailure(
  error: unknown,
  context: { store: string; key: string; action: LocalAction },
): BackupToolError {
  if (error instanceof BackupToolError) return error;
  const { store, key, action } = context;
  const errno = errnoOf(error);
  const code = codeOf(errno, action);
  return new StoreError(code, `${key === "" ? "" : `${key}: `}${WORDS[code] ?? errno}`, {
    store,
    cause: error,
    hint: code === "STORE_FULL" ? "make room or use another folder" : undefined,
  });
}

/** `ENOENT` and its like; empty for what is no error of the system. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

const WORDS: Partial<Record<StoreErrorCode, string>> = {
  STORE_NOT_FOUND: "not found",
  STORE_EXISTS: "exists already",
  STORE_FULL: "no space left",
  STORE_IMMUTABLE: "the folder is read-only, or may not be written by this user",
  STORE_CREDENTIALS: "may not be read by this user",
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
    // What a network file system or a busy machine may get over.
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
