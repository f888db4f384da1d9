import type { FileHandle } from "node:fs/promises";

/** A file that can be read at any position. */
export interface RandomAccess {
  /** Bytes. */
  readonly size: number;
  /** Reads up to `target.length` bytes from `position`. Resolves with their number: 0 only at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
}

/** An open file, whose size does not change from now on. */
export async function fileAccess(handle: FileHandle): Promise<RandomAccess> {
  const { size } = await handle.stat();
  return {
    size,
    read: async (target, position) =>
      (await handle.read(target, 0, target.length, position)).bytesRead,
  };
}

/** Reads until `target` is full or the file ends. Resolves with the number of bytes. */
export async function readFully(
  file: RandomAccess,
  target: Uint8Array,
  position: number,
): Promise<number> {
  const wanted = Math.min(target.length, file.size - position);
  let filled = 0;
  while (filled < wanted) {
    const bytes = await file.read(target.subarray(filled, wanted), position + filled);
    if (bytes === 0) break;
    filled += bytes;
  }
  return filled;
}
