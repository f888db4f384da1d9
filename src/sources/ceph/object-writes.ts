import { callBinding } from "./binding-call.js";
import { CephError } from "./errors.js";
import type { PoolHandle, WriteMode } from "./librados.js";
import { packNames } from "./name-batch.js";
import type { WriteObject } from "./types.js";

/** The mode that replaces an object with all that it had. */
export const REPLACE: WriteMode = { replace: true, offset: 0 };

/** Writes each object by one atomic operation. @throws CephError of the first that failed */
export async function writeObjects(
  { native, number, name: pool }: PoolHandle,
  objects: readonly WriteObject[],
  mode: WriteMode,
  signal: AbortSignal,
): Promise<void> {
  const names = packNames(objects);
  const errno = await callBinding<Int32Array>(signal, { operation: "write", pool }, (done) =>
    native.write(number, names, objects, mode, done),
  );
  const failed = errno.findIndex((code) => code !== 0);
  if (failed < 0) return;
  const object = objects[failed]?.name;
  throw CephError.of(errno[failed] ?? 0, { operation: "write", pool, object });
}
