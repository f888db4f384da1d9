const MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 };

/** Milliseconds of `500ms`, `30s`, `2m` or `1h`; a bare number is seconds. Undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const ms = milliseconds(/^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text.trim()), "s");
  // The longest time of Node's timers.
  return ms >= 1 && ms <= 2 ** 31 - 1 ? ms : undefined;
}

/** Milliseconds of `15` (days, as in etcd-backup-restore), `15d`, `36h`, `90m` or `30s`. Undefined for anything else. */
export function parseAge(text: string): number | undefined {
  const ms = milliseconds(/^(\d+(?:\.\d+)?)([smhd])?$/.exec(text.trim()), "d");
  return ms >= 0 && ms <= 1e14 ? ms : undefined;
}

function milliseconds(match: RegExpExecArray | null, bare: string): number {
  return Number(match?.[1]) * (MS[match?.[2] ?? bare] ?? Number.NaN);
}
