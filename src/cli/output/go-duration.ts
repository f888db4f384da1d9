/**
 * A duration as Go's `time.Duration` prints it: `519.9547ms`, `1.5s`, `1m2s`. The `done …` line of the original tool
 * has this form.
 */
export function goDuration(ms: number): string {
  const ns = Math.max(0, Math.round(ms * 1e6));
  if (ns === 0) return "0s";
  if (ns < 1e3) return `${ns}ns`;
  if (ns < 1e6) return `${decimal(ns, 1e3)}µs`;
  if (ns < 1e9) return `${decimal(ns, 1e6)}ms`;
  const hours = Math.floor(ns / 3.6e12);
  const minutes = Math.floor((ns % 3.6e12) / 6e10);
  const seconds = `${decimal(ns % 6e10, 1e9)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

/** `ns / unit` with all its digits, without trailing zeros. */
function decimal(ns: number, unit: number): string {
  const digits = String(unit).length - 1;
  const fraction = String(ns % unit)
    .padStart(digits, "0")
    .replace(/0+$/, "");
  const whole = String(Math.floor(ns / unit));
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
