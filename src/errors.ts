/**
 * The one hierarchy of errors. Each class has a stable `code` for programs and fields for context;
 * only `src/cli` turns them into words on a terminal and exit codes.
 */

/** Anything that this program reports on purpose. */
export class BackupToolError extends Error {
  /** Stable, upper case, never reused for another meaning. */
  readonly code: string;
  /** What to do about it, in a few words, when there is something to do. */
  readonly hint: string | undefined;

  constructor(
    code: string,
    message: string,
    options: { cause?: unknown; hint?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = options.hint;
  }
}

/** The same error with more to do about it. */
export function withHint(error: BackupToolError, more: string): BackupToolError {
  const hint = error.hint === undefined ? more : `${error.hint}; ${more}`;
  return new BackupToolError(error.code, error.message, { cause: error, hint });
}

/** Flags, names or folders that cannot mean what was asked. Exit code 2. */
export class UsageError extends BackupToolError {
  constructor(message: string, options: { cause?: unknown; hint?: string | undefined } = {}) {
    super("USAGE", message, options);
  }
}

/** The operation's AbortSignal fired. Exit code 130. */
export class InterruptedError extends BackupToolError {
  constructor(message = "interrupted", options: { cause?: unknown; hint?: string } = {}) {
    super("INTERRUPTED", message, options);
  }
}

/** Throws {@link InterruptedError} once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError();
}
