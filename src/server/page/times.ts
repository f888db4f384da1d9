import { html, type Html } from "./html.js";

const UNITS = [
  ["d", 86_400],
  ["h", 3_600],
  ["min", 60],
] as const;

/** `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`: the two largest units. */
export function spanText(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  for (const [i, [unit, size]] of UNITS.entries()) {
    if (whole < size) continue;
    const first = `${Math.floor(whole / size)} ${unit}`;
    const [smaller, smallerSize] = UNITS[i + 1] ?? ["", 0];
    const rest = smallerSize === 0 ? 0 : Math.floor((whole % size) / smallerSize);
    return rest === 0 ? first : `${first} ${rest} ${smaller}`;
  }
  return `${whole} s`;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `28 Nov 17:20`, in UTC; with the year when it is not that of `now`. The text itself for what is not a time. */
export function momentText(time: string, now: Date): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  const year = date.getUTCFullYear();
  const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
  const clock = `${twoDigits(date.getUTCHours())}:${twoDigits(date.getUTCMinutes())}`;
  return year === now.getUTCFullYear() ? `${day} ${clock}` : `${day} ${year} ${clock}`;
}

/** `17:20:05`, in UTC. */
export function clockText(date: Date): string {
  const { getUTCHours, getUTCMinutes, getUTCSeconds } = Date.prototype;
  return [getUTCHours, getUTCMinutes, getUTCSeconds]
    .map((part) => twoDigits(part.call(date)))
    .join(":");
}

export function moment(time: string, now: Date): Html {
  return html`<time datetime="${time}">${momentText(time, now)}</time>`;
}

/** Milliseconds from `now` to the time; undefined for what is not a time. */
export function msUntil(time: string, now: Date): number | undefined {
  const ms = Date.parse(time) - now.getTime();
  return Number.isNaN(ms) ? undefined : ms;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

/** RFC 3339 of milliseconds since 1970; empty for what is out of range. */
export function isoTime(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString();
}
