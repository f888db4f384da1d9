import { ArchiveError } from "../archive/errors.js";
import type { SnapStore } from "../snapstore/store.js";

/** The error for a snapshot without a manifest: it is still being written, or was left unfinished. */
export function unfinishedSnapshot(store: SnapStore, snapshot: string): ArchiveError {
  return new ArchiveError("UNFINISHED_BACKUP", `${snapshot} in ${store.name} is unfinished`, {
    hint: "once nothing writes it any more, snapshot prune-incomplete removes it",
  });
}
