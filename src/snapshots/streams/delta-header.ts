import { damaged } from "../../archive/errors.js";
import { MAX_HEADER_BYTES } from "../../archive/format.js";
import { decodeHeader, type Header } from "../../archive/header.js";
import { BackupToolError } from "../../errors.js";
import { type DeltaName, deltaName } from "./delta-name.js";
import type { StreamName } from "./stream-name.js";

/** Type of a delta in its header. */
const DELTA_TYPE = 4;

/** Largest file of a delta: the most content, with room for its header and seals. */
export const MAX_DELTA_FILE_BYTES = 264 << 20;

/**
 * The header of a delta, which must be that of this number and stream. Its MAC is not checked: that takes the passphrase.
 * Throws DAMAGED.
 *
 * @param bytes the file, or its first {@link MAX_HEADER_BYTES}
 */
export function deltaHeader(bytes: Buffer, stream: StreamName, delta: DeltaName): Header {
  const file = deltaName(delta);
  let header: Header;
  try {
    header = decodeHeader(bytes.subarray(0, MAX_HEADER_BYTES), file);
  } catch (error) {
    if (!(error instanceof BackupToolError) || error.code === "DAMAGED") throw error;
    throw damaged(`it is no delta: ${error.message}`, { file }, error);
  }
  const { type, number, backupId } = header;
  const id = Buffer.from(backupId).toString("hex");
  if (type !== DELTA_TYPE) throw damaged(`it is a file of type ${type}`, { file });
  if (number !== delta.number) throw damaged(`it is delta ${number}`, { file });
  if (!id.startsWith(stream.idStart)) throw damaged(`it is of stream ${id}`, { file });
  return header;
}
