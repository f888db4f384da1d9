import type { StoreError } from "../errors.js";
import type { GetOptions } from "../store.js";
import type { HttpResponse } from "./client.js";

/** The Range header of a read; none for the whole object. `length` is not 0: HTTP has no empty ranges. */
export function rangeHeader({ offset = 0, length }: GetOptions): { range?: string } {
  if (offset === 0 && length === undefined) return {};
  return { range: `bytes=${offset}-${length === undefined ? "" : offset + length - 1}` };
}

/** Statuses that {@link rangePieces} handles beside 2xx. */
export const RANGE_STATUSES = [412, 416];

/** The body of a read; empty for a range past the end. Throws `changed()` if the tag did not match. */
export async function* rangePieces(
  response: HttpResponse,
  changed: () => StoreError,
): AsyncGenerator<Uint8Array, void, void> {
  if (response.ok) return yield* response.pieces();
  await response.drop();
  // The range begins at or past the end of the object.
  if (response.status === 416) return;
  throw changed();
}
