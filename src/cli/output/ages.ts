import { UsageError } from "../../errors.js";

/** `45s`, `12m`, `5h`, `3d`: in the largest unit that fits. */
export function ageText(seconds: number): string {
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

/** Milliseconds of `15` (days, as etcd-backup-restore has it), `15d`, `36h`, `90m` or `30s`. */
export function parseAge(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)([smhd])?$/.exec(text.trim());
  const ms = Number(match?.[1]) * (UNITS[match?.[2] ?? "d"] ?? Number.NaN);
  if (ms >= 0 && ms <= 1e14) return ms;
  throw new UsageError(`--${flag} ${JSON.stringify(text)} is no age`, {
    hint: "write a number of days, or a number and a unit, such as 36h or 90d",
  });
}
