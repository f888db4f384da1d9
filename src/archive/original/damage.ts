import { type ArchivePlace, damaged } from "../errors.js";
import { MsgpackError } from "./msgpack-reader.js";

/** Runs `read`; what is wrong with its MessagePack is damage at `place`. */
export function asDamage<T>(place: ArchivePlace, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MsgpackError)) throw error;
    throw damaged(`it does not hold what it should: ${error.message}`, place, error);
  }
}
