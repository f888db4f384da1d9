import type { KdfName } from "../../archive/crypto/passphrase-key.js";
import { UsageError } from "../../errors.js";
import type { sealFlags } from "../flags.js";
import { parseSize } from "./sizes.js";
import type { Values } from "../values.js";

const MIN_ARCHIVE_BYTES = 1 << 20;

/** What the flags say of sealing. Throws UsageError. */
export function sealOptions(args: Values<typeof sealFlags>): {
  archiveSize: number;
  compressionLevel: number;
  kdf: KdfName;
} {
  const archiveSize = parseSize("archive-size", args["archive-size"]);
  if (archiveSize < MIN_ARCHIVE_BYTES) {
    throw new UsageError(`--archive-size ${args["archive-size"]} is under 1MiB`);
  }
  const level = args["compression-level"];
  const compressionLevel = Number(level);
  if (!Number.isInteger(compressionLevel) || compressionLevel < 1 || compressionLevel > 19) {
    throw new UsageError(
      `--compression-level ${JSON.stringify(level)} is not a number from 1 to 19`,
    );
  }
  return { archiveSize, compressionLevel, kdf: args.kdf };
}
