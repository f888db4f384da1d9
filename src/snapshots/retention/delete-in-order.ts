import { BackupToolError, InterruptedError } from "../../errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { ChainLinks } from "../chain-links.js";
import { deleteSnapshot, type Removed } from "../delete.js";
import { compareSnapshotNames, type SnapshotName } from "../name.js";
import type { Candidate } from "./candidate.js";

export interface DeletionReports {
  onDeleted(name: SnapshotName, removed: Removed): void;
  onFailed(name: SnapshotName, error: BackupToolError): void;
}

/** Why one snapshot cannot be deleted, though the next one may. */
const OF_ONE_SNAPSHOT: ReadonlySet<string> = new Set([
  "STORE_IMMUTABLE",
  "FOREIGN_FILE",
  "SNAPSHOT_HELD",
]);
/** After this many other failures in a row the store is taken to be the cause. */
const FAILURES_IN_A_ROW = 3;

/**
 * Deletes snapshots one after the other, each before its bases, and chain after chain. Where one cannot be deleted, the
 * bases below it stay. Throws once several calls in a row have failed because of the store.
 *
 * @param doomed some of `all`, the snapshots of the store
 */
export async function deleteInOrder(
  store: SnapStore,
  doomed: readonly Candidate[],
  all: readonly Candidate[],
  options: DeletionReports & { readonly signal: AbortSignal },
): Promise<void> {
  const { signal, onDeleted, onFailed } = options;
  const links = new ChainLinks(all);
  const needed = new Map<Candidate, SnapshotName>();
  let failures = 0;
  for (const one of inOrder(doomed, links)) {
    const { name } = one;
    const above = needed.get(one);
    const result =
      above === undefined
        ? await attempt(() => deleteSnapshot(store, name.text, { dryRun: false, signal }))
        : snapshotNeeded(name, above);
    if (!(result instanceof BackupToolError)) {
      failures = 0;
      onDeleted(name, result);
      continue;
    }
    for (const base of links.basesOf(one)) needed.set(base, name);
    onFailed(name, result);
    if (above !== undefined || OF_ONE_SNAPSHOT.has(result.code)) continue;
    failures++;
    if (failures === FAILURES_IN_A_ROW) throw result;
  }
}

/** The oldest chain first, and in a chain the snapshot with the most bases first. */
function inOrder(doomed: readonly Candidate[], links: ChainLinks<Candidate>): Candidate[] {
  const chains = new Map<string | undefined, Candidate[]>();
  for (const one of [...doomed].sort((a, b) => compareSnapshotNames(a.name, b.name))) {
    const full = links.placeOf(one)?.full;
    const chain = chains.get(full);
    if (chain === undefined) chains.set(full, [one]);
    else chain.push(one);
  }
  const depth = (one: Candidate): number => links.placeOf(one)?.depth ?? 0;
  return [...chains.values()].flatMap((chain) =>
    chain.sort((a, b) => depth(b) - depth(a) || compareSnapshotNames(b.name, a.name)),
  );
}

async function attempt<T>(work: () => Promise<T>): Promise<T | BackupToolError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InterruptedError || !(error instanceof BackupToolError)) throw error;
    return error;
  }
}

function snapshotNeeded(name: SnapshotName, above: SnapshotName): BackupToolError {
  const message = `${name.text} is needed by ${above.text}, which could not be deleted`;
  return new BackupToolError("SNAPSHOT_NEEDED", message);
}
