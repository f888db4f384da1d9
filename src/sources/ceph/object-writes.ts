import { answered } from "./answered.js";
import { CephError } from "./errors.js";
import type { WriteRequest } from "./librados.js";
import { packNames } from "./name-batch.js";
import { flatOf } from "./pairs.js";
import type { PoolHandle } from "./pool-handle.js";
import type { ObjectName, WriteObject } from "./types.js";

/** Replaces each object by one atomic operation. */
export function writeObjects(
  pool: PoolHandle,
  objects: readonly WriteObject[],
  signal: AbortSignal,
): Promise<void> {
  const requests = objects.map(
    ({ data, xattrs, omapHeader, omap, mtime }): WriteRequest => [
      1,
      0,
      data,
      flatOf(xattrs),
      omapHeader.length === 0 ? null : omapHeader,
      flatOf(omap),
      mtime,
    ],
  );
  return sendWrites(pool, objects, requests, signal);
}

/** Sends one operation for each name; throws for the first that the cluster refuses. */
export async function sendWrites(
  pool: PoolHandle,
  names: readonly ObjectName[],
  requests: readonly WriteRequest[],
  signal: AbortSignal,
): Promise<void> {
  const { bytes, offsets } = packNames(names);
  const errno = new Int32Array(names.length);
  await answered(signal, (done) =>
    pool.native.write(pool.number, bytes, offsets, requests, errno, done),
  );
  const failed = errno.findIndex((code) => code !== 0);
  if (failed >= 0) {
    const object = names[failed]?.name;
    throw CephError.of(errno[failed] ?? 0, { operation: "write", pool: pool.name, object });
  }
}
