import type { BackupReader } from "../../archive/backup-reader.js";

/** Ids of the backups that the base's index refers to, the base itself first. */
export async function chainOf(base: BackupReader): Promise<Uint8Array[]> {
  const chain: Uint8Array[] = [];
  for await (const items of base.readIndex()) {
    for (const item of items) {
      if (item.kind !== "backup") return chain;
      chain[item.backup] = item.id;
    }
  }
  return chain;
}
