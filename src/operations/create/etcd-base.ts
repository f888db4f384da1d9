import type { BackupKeys } from "../../archive/crypto/backup-keys.js";
import { changesDigest } from "../../archive/delta/changes-digest.js";
import { MANIFEST_NAME } from "../../archive/format.js";
import type { Metadata } from "../../archive/metadata.js";
import { SealPool } from "../../archive/seal/seal-pool.js";
import { errorMessage } from "../../errors.js";
import { type StreamName, streamName } from "../../snapshots/streams/stream-name.js";
import { StoreError } from "../../snapstore/errors.js";
import { INTERACTIVE_ATTEMPTS } from "../../snapstore/layers/retry-policy.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import type { OperationContext } from "../context.js";
import { withStore } from "../open/stores.js";
import { BackupDestination, type StoreDestination } from "./destination.js";
import { lastChanges } from "../history/base-changes.js";
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
  /** Of the stream's name, seconds since 1970: from before etcd was read, unless it has to be later than another. */
  nameTime(): number;
  /** The whole database was read: another attempt costs as much again. */
  onRead?(): void;
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
  /** Hexadecimal. */
  readonly clusterId: string;
  /** Of the changes of its revision, which the first delta has to follow; undefined where they are compacted. */
  readonly digest: Uint8Array | undefined;
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
  await checkStores(options, context);
  const spooled = await spoolRawSnapshot(options.etcd, options, context);
  options.onRead?.();
  const sealPool = new SealPool();
  const write = (attempt: Attempt) => writeBase(spooled, attempt, sealPool, options, context);
  let digest: Uint8Array | undefined;
  try {
    digest = await lastDigest(spooled, context.signal);
    const { behind, ...made } = await write({ store, secondaryStore });
    const inSecondary = secondaryStore !== undefined && !behind;
    return { ...made, digest, inPrimary: true, inSecondary };
  } catch (error) {
    if (secondaryStore === undefined || !(error instanceof StoreError)) throw error;
    context.report({
      type: "warning",
      message: `the secondary store gets the base of the log alone: ${errorMessage(error)}`,
    });
    const { behind: _, ...made } = await write({ store: secondaryStore });
    return { ...made, digest, inPrimary: false, inSecondary: true };
  } finally {
    await Promise.all([spooled.close(), sealPool.close()]);
  }
}

/** Throws what the primary throws where no store answers: then the database need not be read. */
async function checkStores(
  { store, secondaryStore }: Attempt,
  { guard, signal }: Pick<OperationContext, "guard" | "signal">,
): Promise<void> {
  const check = ({ config }: StoreDestination) =>
    withStore(
      config,
      async (opened) => await opened.head(MANIFEST_NAME, signal),
      { attempts: INTERACTIVE_ATTEMPTS },
      guard,
    );
  const checks = [store, ...(secondaryStore === undefined ? [] : [secondaryStore])].map(check);
  try {
    await Promise.any(checks);
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  }
}

async function lastDigest(
  { file, endpoint, ...facts }: SpooledSnapshot,
  signal: AbortSignal,
): Promise<Uint8Array | undefined> {
  const { EtcdDatabase } = await import("../../sources/etcd/file/database.js");
  const database = await EtcdDatabase.open(file, `the database of etcd ${endpoint}`);
  const changes = await lastChanges(database, facts, signal);
  return changes && changesDigest(changes);
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
    time: options.nameTime(),
    id: Buffer.from(keys.backupId).toString("hex"),
  });
  // The log of etcd goes on without a base meanwhile, so a store that is down gets little time.
  const retries = { attempts: INTERACTIVE_ATTEMPTS };
  const destination = await BackupDestination.open(store, secondaryStore, context, retries);
  try {
    const target = destination.streamTarget(stream.text, options.archiveSize);
    // The time of the name is from before etcd was read, and later than all that deltas have.
    const startedAt = new Date(1000 * stream.time);
    const into = { target, keys, sealPool, base: undefined, startedAt };
    const metadata = await makeBackup(into, options, context, async ({ writer }) => {
      const snapshot = await archiveSnapshot(writer, spooled, context);
      return { snapshot: stream.text, ceph: null, etcd: rawFacts(clusterId, snapshot) };
    });
    const { behind } = destination;
    return { stream, keys, metadata, revision, compactRevision, clusterId, behind };
  } finally {
    await destination.close();
  }
}
