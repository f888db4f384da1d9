/** Room for a name of 2,048 bytes with each byte escaped, and for the rest of a message. */
const MAX_CHARACTERS = 16_384;
/** Controls, and what changes the order of characters or is invisible: bidi marks, zero width, U+2028 and U+2029. */
const ACTING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text from outside, so that it can neither act on a terminal nor fill it. */
export function printable(text: string): string {
  const left = text.length - MAX_CHARACTERS;
  return left > 0
    ? `${escapeActing(text.slice(0, MAX_CHARACTERS))}… (${left} more characters)`
    : escapeActing(text);
}

/** The same without a limit on its length. */
export function escapeActing(text: string): string {
  return text.replace(ACTING, (c) => {
    const point = c.codePointAt(0) ?? 0;
    if (point < 0x100) return `\\x${point.toString(16).padStart(2, "0")}`;
    return point < 0x10000
      ? `\\u${point.toString(16).padStart(4, "0")}`
      : `\\U${point.toString(16).padStart(8, "0")}`;
  });
}

/** The same for a line of JSON, whose value does not change. */
export function escapeActingJson(json: string): string {
  return json.replace(ACTING, (c) =>
    Array.from(
      { length: c.length },
      (_, i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join(""),
  );
}
