/** The errors of a reader, by docs/format.md, "Readers". */
export type AnswerCode =
  | "NOT_A_BACKUP"
  | "UNFINISHED_BACKUP"
  | "UNSUPPORTED_VERSION"
  | "WRONG_PASSPHRASE"
  | "DAMAGED"
  | "MISSING_FILE"
  | "DOES_NOT_BELONG"
  | "LOG_HOLE"
  | "LOG_FORK"
  | "LOG_UNPROVEN";

/** Why the independent reader rejects a backup. */
export class Answer extends Error {
  constructor(
    readonly code: AnswerCode,
    readonly file: string | null,
    why: string,
  ) {
    super(`${code} ${file}: ${why}`);
  }
}

export function checkIn(file: string, holds: boolean, why: string): asserts holds {
  if (!holds) throw new Answer("DAMAGED", file, why);
}
