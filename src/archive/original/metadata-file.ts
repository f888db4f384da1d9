import { damaged } from "../errors.js";
import { METADATA_NAME } from "../format.js";
import { FrameType } from "./format.js";
import type { FrameOpener } from "./frame-opener.js";
import { isMissing, withFrames } from "./frames.js";
import { MsgpackError } from "./msgpack-reader.js";
import { ObjectTimes } from "./object-times.js";
import { asDamage, type OriginalTime, readMetadata } from "./payloads.js";

/** The contents of METADATA.bin. */
interface OriginalFacts {
  /** Number of ARCHIVE files. */
  readonly files: number;
  readonly times: ObjectTimes;
  /** Of METADATA.bin itself. */
  readonly sealedBytes: number;
}

/** Undefined when the file does not exist. Calls `each` for every time. Throws DAMAGED. */
export async function readMetadataFile(
  folder: string,
  opener: FrameOpener,
  each: (time: OriginalTime) => void = () => {},
): Promise<OriginalFacts | undefined> {
  try {
    return await withFrames(folder, METADATA_NAME, async (file) => {
      let read: Omit<OriginalFacts, "sealedBytes"> | undefined;
      for await (const { frame, plain } of opener.open(file)) {
        const place = { file: METADATA_NAME, chunk: frame.number };
        if (frame.type !== FrameType.metadata || read !== undefined) {
          throw damaged("a frame of another file", place);
        }
        read = asDamage(place, () => {
          const metadata = readMetadata(plain);
          // The count must not take more memory than the frame itself.
          if (MIN_TIME_BYTES * metadata.objects > plain.length) {
            throw new MsgpackError("ends within an item");
          }
          const times = new ObjectTimes(metadata.objects);
          for (const time of metadata.times()) {
            times.add(time);
            each(time);
          }
          return { files: metadata.files, times };
        });
      }
      if (read === undefined) throw damaged("it holds nothing", { file: METADATA_NAME });
      return { ...read, sealedBytes: file.size };
    });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** The shortest entry: a map with the names Key, Val, Pool, Namespace and OID. */
const MIN_TIME_BYTES = 32;
