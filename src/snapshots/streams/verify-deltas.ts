import type { PassphraseKeys } from "../../archive/crypto/backup-keys.js";
import type { DeltaHead } from "../../archive/delta/delta-head.js";
import { ArchiveError, damaged } from "../../archive/errors.js";
import type { SealPool } from "../../archive/seal/seal-pool.js";
import { throwIfAborted } from "../../errors.js";
import { StoreError } from "../../snapstore/errors.js";
import type { FileDamage } from "../file-check.js";
import { DeltaFiles } from "./delta-files.js";
import { deltaName } from "./delta-name.js";
import type { ListedDelta } from "./delta-table.js";
import { LogStream, type StreamCopy } from "./log-stream.js";
import { openStoredDelta } from "./open-delta.js";

export interface VerifyDeltasOptions {
  readonly passphrase: PassphraseKeys;
  readonly pool: SealPool;
  readonly signal: AbortSignal;
  onDamage(damage: FileDamage): void;
  /** After each delta. */
  onDelta?(delta: ListedDelta): void;
}

/**
 * Reads every delta of a stream in one store: its seals, its name, and that it follows the one before. Deltas that the
 * store lacks do not count. Throws StoreError, and as `openStreamKeys` where none of them opens.
 */
export async function verifyDeltas(
  copy: StreamCopy,
  { passphrase, pool, signal, onDamage, onDelta }: VerifyDeltasOptions,
): Promise<void> {
  const { deltas, name } = copy.stream;
  if (deltas.length === 0) return;
  const keys = await new LogStream(name, [copy]).keys(passphrase, signal);
  const files = new DeltaFiles(signal);
  /** The delta before, where it is whole. */
  let before: Checked | undefined;
  try {
    for (let i = 0; i < deltas.length; i++) {
      throwIfAborted(signal);
      const delta = deltas.at(i);
      const options = { files, keys, pool, signal, ahead: deltas.from(i + 1, () => true) };
      try {
        const reader = await openStoredDelta(copy, delta, options);
        let [firstSeenMs, lastSeenMs] = [undefined as number | undefined, 0];
        for await (const batch of reader.revisions()) {
          firstSeenMs ??= batch[0]?.seenMs;
          lastSeenMs = batch.at(-1)?.seenMs ?? lastSeenMs;
        }
        const checked = { number: delta.number, head: reader.head, lastSeenMs };
        checkFollows(checked, firstSeenMs ?? 0, before, deltaName(delta));
        before = checked;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason === undefined) throw error;
        onDamage({ file: deltaName(delta), reason });
        before = undefined;
      }
      onDelta?.(delta);
    }
  } finally {
    files.close();
  }
}

interface Checked {
  readonly number: number;
  readonly head: DeltaHead;
  readonly lastSeenMs: number;
}

/** Throws DAMAGED. */
function checkFollows(
  { number, head }: Checked,
  firstSeenMs: number,
  before: Checked | undefined,
  file: string,
): void {
  if (before?.number !== number - 1) return;
  const { last, after, clusterId } = before.head;
  if (head.first !== last + 1) throw damaged(`it does not begin after revision ${last}`, { file });
  if (head.clusterId !== clusterId) throw damaged("it is of another etcd cluster", { file });
  if (head.before === null || Buffer.compare(head.before, after) !== 0) {
    throw damaged(`it does not follow the changes of revision ${last}`, { file });
  }
  if (firstSeenMs < before.lastSeenMs) throw damaged("its time goes back", { file });
}

/** Why a file is damaged; undefined for an error that says nothing about it. */
function reasonOf(error: unknown): string | undefined {
  if (error instanceof ArchiveError) return error.message;
  if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return "it is not there";
  return undefined;
}
