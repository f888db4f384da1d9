import { Readable } from "node:stream";

/** Characters of a piece. */
const PIECE_LENGTH = 32 * 1024;

/**
 * The JSON of lists by name, made while it is read: a listing of ten thousand snapshots has megabytes, which slow readers
 * must not hold in memory.
 */
export function jsonOfLists(lists: Readonly<Record<string, Iterable<object>>>): Readable {
  return Readable.from(piecesOf(lists), { objectMode: false });
}

function* piecesOf(lists: Readonly<Record<string, Iterable<object>>>): Generator<string> {
  let piece = "{";
  for (const [i, [name, rows]] of Object.entries(lists).entries()) {
    piece += `${i === 0 ? "" : ","}${JSON.stringify(name)}:[`;
    let separator = "";
    for (const row of rows) {
      piece += separator + JSON.stringify(row);
      separator = ",";
      if (piece.length < PIECE_LENGTH) continue;
      yield piece;
      piece = "";
    }
    piece += "]";
  }
  yield `${piece}}`;
}
