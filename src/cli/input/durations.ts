import { UsageError } from "../../errors.js";

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6 };

/** Milliseconds of `500ms`, `30s`, `2m` or `1h`; a bare number is seconds. */
export function parseDuration(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim());
  const ms = Number(match?.[1]) * (UNITS[match?.[2] ?? "s"] ?? Number.NaN);
  if (!(ms >= 1) || ms > 2 ** 31 - 1) {
    throw new UsageError(`--${flag} ${JSON.stringify(text)} is not a time`, {
      hint: "write a number and a unit, such as 30s or 2m",
    });
  }
  return ms;
}
