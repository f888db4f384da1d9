import { formatSize } from "../../size-text.js";
import type { AreaChecks } from "./check.js";

/** One archive file of the default size. */
const LITTLE_BYTES = 2 * 2 ** 30;

/** Checks the free space, though the size of a backup is not known. */
export function checkSpace(
  checks: AreaChecks,
  name: string,
  { freeBytes, totalBytes }: { readonly freeBytes: number; readonly totalBytes: number },
): void {
  const detail = `${formatSize(freeBytes)} of ${formatSize(totalBytes)} free`;
  if (freeBytes === 0) checks.failed(name, detail, "make room");
  else if (freeBytes < LITTLE_BYTES) {
    checks.warning(name, detail, "make room: that is less than one archive file");
  } else checks.ok(name, detail);
}
