/**
 * A line of a table whose rows come one by one. The widths fit usual values; a longer value moves the rest of its line
 * to the right.
 */
export function columnLine(texts: readonly string[], widths: readonly number[]): string {
  return texts
    .map((text, i) => text.padEnd(widths[i] ?? 0))
    .join(" ")
    .trimEnd();
}
