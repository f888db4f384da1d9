import { closest, distance } from "fastest-levenshtein";

/** The known name that was most likely meant, when one is near. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(given, known);
  return distance(given, best) <= Math.max(2, given.length / 3) ? best : undefined;
}
