import { BackupToolError } from "../errors.js";

export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  incomplete: 3,
  wrongPassphrase: 10,
  damaged: 11,
  interrupted: 130,
} as const;

const BY_ERROR: Readonly<Record<string, number>> = {
  USAGE: ExitCode.usage,
  INTERRUPTED: ExitCode.interrupted,
  WRONG_PASSPHRASE: ExitCode.wrongPassphrase,
  DAMAGED: ExitCode.damaged,
  MISSING_FILE: ExitCode.damaged,
  DOES_NOT_BELONG: ExitCode.damaged,
  UNFINISHED_BACKUP: ExitCode.damaged,
};

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof BackupToolError)) return ExitCode.failed;
  return BY_ERROR[error.code] ?? ExitCode.failed;
}
