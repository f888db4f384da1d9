import type { StoreError } from "../errors.js";
import type { GetOptions } from "../store.js";
import type { HttpAnswer } from "./client.js";

/** The header of a read; empty for the whole object. HTTP has no range of nothing: `length` is not 0. */
export function rangeHeader({ offset = 0, length }: GetOptions): { range?: string } {
  if (offset === 0 && length === undefined) return {};
  return { range: `bytes=${offset}-${length === undefined ? "" : offset + length - 1}` };
}

/** Statuses of a ranged read that {@link rangePieces} understands beside success. */
export const RANGE_STATUSES = [412, 416];

/** The pieces of what a read was answered; nothing for a range past the end, `changed` for a tag that is no more. */
export async function* rangePieces(
  answer: HttpAnswer,
  changed: () => StoreError,
): AsyncGenerator<Uint8Array, void, void> {
  if (answer.ok) return yield* answer.pieces();
  await answer.drop();
  // 416: the range begins at the end of the object, or after it.
  if (answer.status === 416) return;
  throw changed();
}
