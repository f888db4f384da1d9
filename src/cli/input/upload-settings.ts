import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { parseSize } from "./sizes.js";
import { flagOf, type StoreRole } from "../../snapstore/settings/roles.js";

/** How files are sent to a store. */
export interface UploadSettings {
  /** Bytes of each part but the last, unless the store or the file's size asks for more. */
  readonly minChunkBytes: number;
  /** Parts of one file on their way at the same time. */
  readonly maxParallelChunks: number;
}

/** What S3 takes at least. */
const SMALLEST_CHUNK_BYTES = 5 << 20;
const LARGEST_CHUNK_BYTES = 64 << 20;

/** @throws UsageError */
export function uploadSettings(flags: object, role: StoreRole): UploadSettings {
  const args: Readonly<Record<string, unknown>> = Object.fromEntries(Object.entries(flags));
  const sizeFlag = flagOf(role, "min-chunk-size");
  const size = String(args[sizeFlag]);
  const minChunkBytes = parseSize(sizeFlag, size);
  if (minChunkBytes < SMALLEST_CHUNK_BYTES || minChunkBytes > LARGEST_CHUNK_BYTES) {
    throw new UsageError(`--${sizeFlag} ${quoted(size)} is not from 5MiB to 64MiB`);
  }
  const countFlag = flagOf(role, "max-parallel-chunk-uploads");
  return { minChunkBytes, maxParallelChunks: wholeNumber(countFlag, args[countFlag], 1, 100) };
}

/** @throws UsageError */
export function wholeNumber(flag: string, given: unknown, least: number, most: number): number {
  const value = /^-?\d+$/.test(String(given)) ? Number(given) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new UsageError(
    `--${flag} ${quoted(String(given))} is not a number from ${least} to ${most}`,
  );
}
