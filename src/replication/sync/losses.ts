import type { StoredSnapshot } from "../../snapshots/catalog.js";
import type { Loss, LossFacts, LossRecords } from "../../snapshots/control/losses.js";
import type { MirrorRefusal } from "./mirror-plan.js";
import { isNewestGone } from "./newest-chain.js";

/** A loss that is not mirrored, whatever the stores hold by now. */
export interface RefusedLoss extends LossFacts {
  readonly refusal: MirrorRefusal;
}

/** What went from the source of a sync, judged by what the target held when that was first seen. */
export interface JudgedLosses {
  /** Names of absent snapshots that are not deleted. */
  readonly names: ReadonlySet<string>;
  readonly refused: readonly RefusedLoss[];
}

/**
 * Notes what is newly absent, and judges all that is absent.
 *
 * @param absent names in the target that the source does not have
 * @param target oldest first, before the copies of this run: those are no evidence that the source is whole
 */
export async function judgeLosses(
  records: LossRecords,
  {
    absent,
    target,
    maxDeleteFraction,
  }: {
    readonly absent: ReadonlySet<string>;
    readonly target: readonly StoredSnapshot[];
    readonly maxDeleteFraction: number;
  },
  signal: AbortSignal,
): Promise<JudgedLosses> {
  const known = absent.size === 0 ? [] : await records.read(absent, signal);
  const noted = new Set(known.flatMap(({ names }) => names).filter((name) => absent.has(name)));
  const fresh = newLoss(target, absent, noted);
  // Before any copy: afterwards the loss would look smaller to a process that does not find it noted.
  if (fresh !== undefined) await records.add(fresh, signal);
  await records.keepOnly(absent);
  const names = new Set<string>();
  const refused = new Map<string, RefusedLoss>();
  for (const loss of fresh === undefined ? known : [...known, fresh]) {
    const { lost, of, newestChain } = loss;
    const refusal = refusalOf(loss, maxDeleteFraction);
    const missing = loss.names.filter((name) => absent.has(name));
    if (refusal === undefined || missing.length === 0) continue;
    for (const name of missing) names.add(name);
    // A large loss has several files.
    refused.set([refusal, lost, of].join(), { refusal, lost, of, newestChain });
  }
  return { names, refused: [...refused.values()] };
}

/** By the limit of now: raising it permits an earlier loss. */
function refusalOf(
  { newestChain, lost, of }: Loss,
  maxDeleteFraction: number,
): MirrorRefusal | undefined {
  if (newestChain) return "newest-chain";
  return lost > maxDeleteFraction * of ? "too-many" : undefined;
}

function newLoss(
  target: readonly StoredSnapshot[],
  absent: ReadonlySet<string>,
  noted: ReadonlySet<string>,
): Loss | undefined {
  const complete = target.filter(({ state }) => state === "complete");
  const shared = complete.filter(({ name }) => !noted.has(name.text));
  const names = shared.map(({ name }) => name.text).filter((name) => absent.has(name));
  if (names.length === 0) return undefined;
  const newestChain = isNewestGone(complete, shared, new Set(names));
  return { names, lost: names.length, of: shared.length, newestChain };
}
