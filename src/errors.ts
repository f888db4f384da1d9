/**
 * The one hierarchy of errors. Each class has a stable `code` for programs and fields for context. They name settings
 * and no flag: a front door adds its own words and exit codes.
 */

/** Anything that this program reports on purpose. */
export class BackupToolError extends Error {
  /** Stable, upper case, never reused for another meaning. */
  readonly code: string;
  /** What to do about it. */
  readonly advice: readonly Advice[];

  constructor(code: string, message: string, { cause, hint, settings, advice }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = new.target.name;
    this.code = code;
    this.advice = hint === undefined ? (advice ?? []) : [...(advice ?? []), { hint, settings }];
  }

  /** The words of the advice alone. */
  get hint(): string | undefined {
    return this.advice.length === 0 ? undefined : this.advice.map(({ hint }) => hint).join("; ");
  }
}

/** What to do about an error, in a few words. */
export interface Advice {
  readonly hint: string;
  /**
   * Names of the settings that the words are about, such as `outputdir`, `no-check-first` to turn one off, or
   * `from=secondary` to set one. Each front door writes them in its own way.
   */
  readonly settings?: readonly string[] | undefined;
}

export interface ErrorDetails {
  readonly cause?: unknown;
  readonly hint?: string | undefined;
  /** Of the hint, and kept only with it. */
  readonly settings?: readonly string[] | undefined;
  /** Comes before `hint`. */
  readonly advice?: readonly Advice[];
}

/** The same error with more advice. */
export function withHint(error: BackupToolError, ...more: readonly Advice[]): BackupToolError {
  const advice = [...error.advice, ...more];
  return new BackupToolError(error.code, error.message, { cause: error, advice });
}

/** Settings, names or folders that cannot mean what was asked. Exit code 2. */
export class UsageError extends BackupToolError {
  constructor(message: string, details?: ErrorDetails) {
    super("USAGE", message, details);
  }
}

/** A value that a setting cannot have. */
export class SettingError extends UsageError {
  /** Name of the setting. */
  readonly setting: string;
  /** What is wrong with the value: a sentence whose subject is the setting. */
  readonly problem: string;

  constructor(setting: string, problem: string, details?: ErrorDetails) {
    super(`${setting} ${problem}`, details);
    this.setting = setting;
    this.problem = problem;
  }
}

/** This process does not lead, or leads no more: another one may write to the stores now. */
export class NotLeaderError extends BackupToolError {
  constructor(message: string, details?: ErrorDetails) {
    super("NOT_LEADER", message, details);
  }
}

/** The operation's AbortSignal fired. Exit code 130. */
export class InterruptedError extends BackupToolError {
  constructor(message = "interrupted", details?: ErrorDetails) {
    super("INTERRUPTED", message, details);
  }
}

/** Throws {@link InterruptedError} once the signal has fired. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new InterruptedError();
}

/** The words of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
