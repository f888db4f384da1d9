import type { BackupKeys } from "../../archive/crypto/backup-keys.js";
import type { Metadata } from "../../archive/metadata.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { errorMessage } from "../../errors.js";
import { type StreamName, streamName } from "../../snapshots/streams/stream-name.js";
import { StoreError } from "../../snapstore/errors.js";
import { INTERACTIVE_ATTEMPTS } from "../../snapstore/layers/retry-policy.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import type { OperationContext } from "../context.js";
import { BackupDestination, type StoreDestination } from "./destination.js";
import { archiveSnapshot, rawFacts } from "./etcd.js";
import { type SpooledSnapshot, type SpoolSettings, spoolRawSnapshot } from "./raw-snapshot.js";
import { type BackupSettings, makeBackup } from "./run.js";

export interface EtcdBaseOptions extends BackupSettings, SpoolSettings {
  readonly etcd: EtcdOptions;
  /** Both get the base at once. The secondary gets it alone where the primary fails. */
  readonly store: StoreDestination;
  readonly secondaryStore?: StoreDestination | undefined;
  /**
   * New keys for each attempt: other bytes under the keys of an attempt that failed would break the encryption of both.
   */
  newKeys(): Promise<BackupKeys>;
}

/** A stream of deltas with a base, and no delta yet. */
export interface EtcdBase {
  readonly stream: StreamName;
  /** Of the base, and of the deltas that follow in the same folder. */
  readonly keys: BackupKeys;
  readonly metadata: Metadata;
  readonly revision: number;
  /** Of etcd; 0: not compacted. */
  readonly compactRevision: number;
  /** Where the base is complete. */
  readonly inPrimary: boolean;
  readonly inSecondary: boolean;
}

/** Where an attempt puts the base. */
type Attempt = Pick<EtcdBaseOptions, "store" | "secondaryStore">;

/**
 * Begins a stream of deltas with a raw snapshot of etcd in its folder. Throws what `createBackup` throws.
 */
export async function makeEtcdBase(
  options: EtcdBaseOptions,
  context: Pick<OperationContext, "report" | "signal" | "passphrase" | "guard">,
): Promise<EtcdBase> {
  const { store, secondaryStore } = options;
  const spooled = await spoolRawSnapshot(options.etcd, options, context);
  const sealPool = new SealPool();
  const write = (attempt: Attempt) => writeBase(spooled, attempt, sealPool, options, context);
  try {
    const { behind, ...base } = await write({ store, secondaryStore });
    const inSecondary = secondaryStore !== undefined && !behind;
    return { ...base, inPrimary: true, inSecondary };
  } catch (error) {
    if (secondaryStore === undefined || !(error instanceof StoreError)) throw error;
    context.report({
      type: "warning",
      message: `the secondary store gets the base of the log alone: ${errorMessage(error)}`,
    });
    const { behind: _, ...base } = await write({ store: secondaryStore });
    return { ...base, inPrimary: false, inSecondary: true };
  } finally {
    await Promise.all([spooled.close(), sealPool.close()]);
  }
}

async function writeBase(
  spooled: SpooledSnapshot,
  { store, secondaryStore }: Attempt,
  sealPool: SealPool,
  options: EtcdBaseOptions,
  context: Pick<OperationContext, "report" | "signal" | "passphrase" | "guard">,
) {
  const { revision, compactRevision, clusterId } = spooled;
  const keys = await options.newKeys();
  const stream = streamName({
    firstRevision: revision + 1,
    time: Math.floor(Date.now() / 1000),
    id: Buffer.from(keys.backupId).toString("hex"),
  });
  // The log of etcd goes on without a base meanwhile, so a store that is down gets little time.
  const retries = { attempts: INTERACTIVE_ATTEMPTS };
  const destination = await BackupDestination.open(store, secondaryStore, context, retries);
  try {
    const target = destination.streamTarget(stream.text, options.archiveSize);
    const into = { target, keys, sealPool, base: undefined };
    const metadata = await makeBackup(into, options, context, async ({ writer }) => {
      const snapshot = await archiveSnapshot(writer, spooled, context);
      return { snapshot: stream.text, ceph: null, etcd: rawFacts(clusterId, snapshot) };
    });
    const { behind } = destination;
    return { stream, keys, metadata, revision, compactRevision, behind };
  } finally {
    await destination.close();
  }
}
