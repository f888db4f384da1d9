import { BackupToolError, InterruptedError, SettingError } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import { inOrder } from "./in-order.js";

/** Longest wait for one answer of a server, ms: a slow server is not down. */
export const ANSWER_MS = 10_000;
/** Longest wait for a step, ms: two tries of its calls, and work that ignores its signal. */
const STEP_MS = 30_000;

type Work<T> = (signal: AbortSignal) => Promise<T>;

/** Runs a step of a check, for {@link STEP_MS} at most. */
export function step<T>(signal: AbortSignal | undefined, work: Work<T>): Promise<T> {
  return withDeadline(STEP_MS, signal, work);
}

/** Waits for one answer, for {@link ANSWER_MS} at most. */
export function answer<T>(signal: AbortSignal | undefined, work: Work<T>): Promise<T> {
  return withDeadline(ANSWER_MS, signal, work);
}

/** The result of one check, and what to do about it. */
export interface Check {
  /** `ceph`, `etcd`, `primary store` and so on. */
  readonly area: string;
  readonly name: string;
  readonly state: "ok" | "warning" | "failed" | "skipped";
  readonly detail: string;
  readonly advice?: string | undefined;
  /** Names of the settings that the advice is about, or else the detail. */
  readonly settings?: readonly string[] | undefined;
}

/** Events of `doctor`. */
export type DoctorEvent =
  | ({ type: "check" } & Check)
  | { type: "checked"; ok: number; warnings: number; failed: number; skipped: number };

type ReportCheck = (check: Check) => void;

/** Reports the checks of one area. */
export class AreaChecks {
  readonly #area: string;
  readonly #report: ReportCheck;

  constructor(area: string, report: ReportCheck) {
    this.#area = area;
    this.#report = report;
  }

  ok(name: string, detail: string): void {
    this.#report({ area: this.#area, name, state: "ok", detail });
  }

  warning(name: string, detail: string, advice: string, settings?: readonly string[]): void {
    this.#report({
      ...{ area: this.#area, name, state: "warning", detail, advice },
      ...(settings !== undefined && settings.length > 0 && { settings }),
    });
  }

  failed(name: string, detail: string, advice?: string, settings?: readonly string[]): void {
    this.#report({
      area: this.#area,
      name,
      state: "failed",
      detail,
      ...(advice !== undefined && { advice }),
      ...(settings !== undefined && settings.length > 0 && { settings }),
    });
  }

  skipped(name: string, detail: string): void {
    this.#report({ area: this.#area, name, state: "skipped", detail });
  }

  /** Runs parts of the area at the same time; their checks are reported in order. */
  together(parts: readonly ((checks: AreaChecks) => Promise<void>)[]): Promise<void> {
    return inOrder<Check>(
      parts.map((part) => (report) => part(new AreaChecks(this.#area, report))),
      this.#report,
    );
  }

  /**
   * Reports a failed check for an error; the advice of the error has precedence. Rethrows an interruption.
   *
   * @param about start of the message, which the line has already
   */
  failedBy(
    name: string,
    error: unknown,
    about: string,
    advice?: string,
    settings?: readonly string[],
  ): void {
    const { detail, hint, settings: own } = wordsOf(error, about);
    if (hint === undefined) this.failed(name, detail, advice, settings);
    else this.failed(name, detail, hint, own);
  }
}

/** The message of an error without `about`, and its advice. Rethrows an interruption. */
export function wordsOf(
  error: unknown,
  about: string,
): { detail: string; hint: string | undefined; settings: readonly string[] } {
  if (error instanceof InterruptedError) throw error;
  const message =
    error instanceof SettingError
      ? error.problem
      : error instanceof Error
        ? error.message
        : String(error);
  const detail = message.startsWith(about)
    ? message.slice(about.length).replace(/^(: |, )/, "")
    : message;
  const advice = error instanceof BackupToolError ? error.advice : [];
  const named = error instanceof SettingError ? [error.setting] : [];
  const settings = [...new Set([...named, ...advice.flatMap((one) => one.settings ?? [])])];
  return { detail, hint: advice.map(({ hint }) => hint).join("; ") || undefined, settings };
}
