import { BackupToolError } from "../../errors.js";
import type { WriteGuard } from "../../snapstore/layers/guarded.js";
import type { SnapStore } from "../../snapstore/store.js";
import { ChainLinks, type LinkedSnapshot } from "../chain-links.js";
import { listControlFiles } from "./control-file.js";
import { isLive } from "./lifetime.js";
import { putListedFile } from "./listed-file.js";
import { RenewedFiles } from "./renewed-file.js";

/** Keeps a snapshot and its bases from being deleted while an incremental over it is made, or a copy writes it. */
export interface Pin extends WriteGuard {
  /** The store's time at which it was put. */
  readonly storeTime: Date;
  /** Never throws. */
  release(): Promise<void>;
  /** Leaves the pin in the store, where it counts for a day. */
  leave(): Promise<void>;
}

/** Pins a snapshot. For an incremental the caller then checks that no plan names its chain, and that the chain is complete. */
export async function pinSnapshot(
  store: SnapStore,
  snapshot: string,
  signal: AbortSignal,
): Promise<Pin> {
  let storeTime = new Date(0);
  const write = async (inner: AbortSignal): Promise<string[]> => {
    const { own } = await putListedFile(store, "pins", `${snapshot}/`, {}, inner);
    storeTime = own.modified;
    return [own.key];
  };
  const files = await RenewedFiles.write(store, `the pin on ${snapshot}`, write, signal);
  return {
    storeTime,
    check: () => files.check(),
    confirm: () => files.confirm(),
    release: () => files.remove(),
    leave: () => files.leave(),
  };
}

/**
 * Names of the snapshots that backups and copies need which are being made. Their bases are needed too: {@link ChainLinks}.
 *
 * @param now by the clock of the store
 */
export async function pinnedNames(
  store: SnapStore,
  now: Date,
  signal: AbortSignal,
): Promise<Set<string>> {
  const files = await listControlFiles(store, "pins", signal);
  return new Set(
    files.filter((file) => isLive(file, now)).map(({ path }) => path.split("/")[0] ?? ""),
  );
}

/** Throws SNAPSHOT_PINNED if a pinned snapshot is this one or is based on it. */
export function checkNotPinned<S extends LinkedSnapshot>(
  { name }: Pick<S, "name">,
  all: readonly S[],
  pinned: ReadonlySet<string>,
): void {
  const links = new ChainLinks(all);
  const bases = all
    .filter((one) => pinned.has(one.name.text))
    .flatMap((one) => [...links.below(one)]);
  const isNeeded = pinned.has(name.text) || bases.some((one) => one.name.text === name.text);
  if (!isNeeded) return;
  throw new BackupToolError(
    "SNAPSHOT_PINNED",
    `${name.text} is needed by a backup or copy that is being made`,
    { hint: "wait until it is complete; if its process has died, its pin ends after a day" },
  );
}
