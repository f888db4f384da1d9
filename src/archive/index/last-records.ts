import type { BackupReader } from "../backup-reader.js";
import type { IndexItem } from "./index-items.js";

/** The items of a backup's index without the keys before the last restart, which are void. */
export async function* lastRecords(
  backup: BackupReader,
  signal?: AbortSignal,
): AsyncGenerator<readonly IndexItem[]> {
  let restarts = backup.metadata.etcd?.restarts ?? 0;
  for await (const items of backup.readIndex({ signal })) {
    if (restarts === 0) {
      yield items;
      continue;
    }
    const current: IndexItem[] = [];
    for (const item of items) {
      if (item.kind === "restart") restarts--;
      else if (item.kind !== "key" || restarts === 0) current.push(item);
    }
    yield current;
  }
}
