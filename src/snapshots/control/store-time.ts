import type { SnapStore } from "../../snapstore/store.js";
import { putListedFile, removeControlFile } from "./listed-file.js";
import { usingReserve } from "./reserve.js";

/** The time by the clock of a store: that of a control file which is put for it, and removed again. Throws StoreError. */
export async function readStoreTime(store: SnapStore, signal: AbortSignal): Promise<Date> {
  const put = () => putListedFile(store, "clock", "", {}, signal);
  const { own } = await usingReserve(store, put, signal);
  await removeControlFile(store, own.key);
  return own.modified;
}

/**
 * The earlier of the times of this machine and of a store. A clock that is ahead then ends nothing that is at work: no
 * pin, plan or claim, and no upload.
 */
export async function earlierTime(store: SnapStore, signal: AbortSignal): Promise<Date> {
  const storeTime = await readStoreTime(store, signal);
  return new Date(Math.min(Date.now(), storeTime.getTime()));
}
