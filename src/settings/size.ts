const PREFIXES = ["", "k", "m", "g", "t"];

/** Bytes of `512MiB`, `2G` (binary), `2GB` (decimal) or a bare number. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:b|([kmgt])(ib|b)?)?\s*$/i.exec(text);
  const [, number, prefix = "", suffix = ""] = match ?? [];
  const base = suffix.toLowerCase() === "b" ? 1000 : 1024;
  const bytes = Math.floor(Number(number) * base ** PREFIXES.indexOf(prefix.toLowerCase()));
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
