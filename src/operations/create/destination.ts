import { errorMessage } from "../../errors.js";
import type { BackupTarget } from "../../archive/backup-target.js";
import { FileThread } from "../../threads/file-thread.js";
import { FolderTarget } from "../../archive/folder-target.js";
import { MANIFEST_NAME } from "../../archive/format.js";
import type { Metadata } from "../../archive/metadata.js";
import type { Destination, SecondaryDestination } from "../../replication/destination.js";
import { claimName, type NameClaim } from "../../snapshots/control/name-claim.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { type SnapshotName, snapshotKey, snapshotName } from "../../snapshots/name.js";
import { SnapshotTarget } from "../../replication/snapshot-target.js";
import { newestName } from "../../snapshots/catalog.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { MeteredStore } from "../../snapstore/layers/metered.js";
import { RecentFailure } from "../../snapstore/layers/recent-failure.js";
import { STORE_RETRIES, type StoreRetryPolicy } from "../../snapstore/layers/retry-policy.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { OperationContext } from "../context.js";
import { retryNotes } from "../open/retry-notes.js";
import { SeenSnapshots } from "../open/seen-snapshots.js";
import { checkDistinct, openRetrying } from "../open/stores.js";
import { PinnedBase } from "./pinned-base.js";

/** A store for a backup, and how to upload files to it. */
export interface StoreDestination {
  readonly config: StoreConfig;
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
}

/** Added to the size of an ARCHIVE file, for data that is being sealed when it is full. */
const SLACK_BYTES = 256 << 20;
/** A name ahead of the clock by more causes a warning. */
const NOTICED_SECONDS = 60;

/** The stores of a new backup. */
export class BackupDestination {
  readonly #primary: Destination & StoreDestination;
  readonly #secondary: SecondaryDestination | undefined;
  readonly #context: OperationContext;
  /** Shared with the search for the base, for one warning per store. */
  readonly seen: SeenSnapshots;
  readonly #closed = new AbortController();
  #thread: FileThread | undefined;
  #claim: NameClaim | undefined;
  #base: PinnedBase | undefined;
  /** Whether the secondary store is incomplete. */
  #behind: boolean;

  private constructor(
    primary: Destination & StoreDestination,
    secondary: SecondaryDestination | undefined,
    behind: boolean,
    context: OperationContext,
  ) {
    this.#primary = primary;
    this.#secondary = secondary;
    this.#behind = behind;
    this.#context = context;
    this.seen = new SeenSnapshots(context);
    this.#connectSecondary();
  }

  /** Throws UsageError for the same place twice; warns of a secondary that cannot be opened. */
  static async open(
    primary: StoreDestination,
    secondary: StoreDestination | undefined,
    context: OperationContext,
    // By default those of a backup of hours, which must survive a store that is down for minutes.
    { attempts = STORE_RETRIES.attempts }: Pick<Partial<StoreRetryPolicy>, "attempts"> = {},
  ): Promise<BackupDestination> {
    const onRetry = retryNotes(context.report);
    const store = await openRetrying(primary.config, { attempts, onRetry }, context.guard);
    const first = { ...primary, store };
    let second: SecondaryDestination | undefined;
    let behind = false;
    try {
      second = secondary && (await openSecondary(secondary, attempts, context));
    } catch (error) {
      behind = true;
      context.report({ type: "warning", message: leftBehind(error) });
    }
    try {
      checkDistinct(store, second?.store);
    } catch (error) {
      await Promise.all([store.close(), second?.store.close()]);
      throw error;
    }
    return new BackupDestination(first, second, behind, context);
  }

  get primary(): SnapStore {
    return this.#primary.store;
  }

  get behind(): boolean {
    return this.#behind;
  }

  /**
   * Checks in the background whether the secondary has the base too: the incremental cannot be restored from there
   * without it.
   */
  checkBase(snapshot: string): void {
    const { report } = this.#context;
    const lacking = (found: unknown): void => {
      if (found !== undefined) return;
      this.#behind = true;
      report({
        type: "warning",
        message: `the secondary store does not have ${snapshot}, the base of this backup: copy it there`,
      });
    };
    // A secondary that does not answer is reported with the first file.
    this.#secondary?.store.head(manifestKey(snapshot), this.#whileOpen).then(lacking, () => {});
  }

  /** Keeps a snapshot in the primary, and its bases, from being deleted until the backup is complete. */
  async pinBase(snapshot: string): Promise<void> {
    this.#base = await PinnedBase.pin(this.primary, snapshot, this.#context.signal);
  }

  /** Throws NO_BASE unless the pinned base and these bases of it are there to stay. */
  async checkChain(bases: readonly string[]): Promise<void> {
    await this.#base?.checkChain(bases, this.#context.signal);
  }

  /** The target for the files of the backup: the stores, and `folder`. Also its name in the stores. */
  async target(
    name: Omit<SnapshotName, "text" | "time">,
    folder: string | undefined,
    archiveBytes: number,
  ): Promise<{ target: BackupTarget; snapshot: string }> {
    const { signal } = this.#context;
    this.#claim = await claimName(this.primary, {
      firstTime: () => this.#nextTime(),
      nameAt: (time) => snapshotName({ ...name, time }),
      signal,
    });
    const { text: snapshot } = this.#claim.name;
    this.#context.report({ type: "snapshot-begun", snapshot, store: this.#primary.store.name });
    return { target: this.#openTarget(snapshot, folder, archiveBytes), snapshot };
  }

  /** The target for the base of a stream: files in its folder, which has a name that no other process makes. */
  streamTarget(stream: string, archiveBytes: number): BackupTarget {
    return this.#openTarget(stream, undefined, archiveBytes);
  }

  #openTarget(snapshot: string, folder: string | undefined, archiveBytes: number): BackupTarget {
    const { signal, report } = this.#context;
    this.#thread = new FileThread();
    return new SnapshotTarget({
      snapshot,
      primary: this.#primary,
      secondary: this.#secondary,
      folder: folder === undefined ? undefined : new FolderTarget(folder),
      thread: this.#thread,
      expectedFileBytes: archiveBytes + SLACK_BYTES,
      signal,
      beforeManifest: async () => this.#base?.checkBeforeManifest(signal),
      onSecondaryFailed: (error) => {
        this.#behind = true;
        report({ type: "warning", message: leftBehind(error) });
      },
    });
  }

  /** Reports and remembers a complete backup. */
  async complete({ id, finishedAt }: Metadata): Promise<void> {
    if (this.#claim === undefined) return;
    const { name } = this.#claim;
    this.#base?.complete();
    await this.#claim.remove();
    const made = { name, id, finishedAt };
    await this.seen.remember(this.primary, made);
    if (this.#secondary !== undefined && !this.#behind) {
      await this.seen.remember(this.#secondary.store, made);
    }
    const secondary = this.#behind ? undefined : this.#secondary?.store.name;
    this.#context.report({
      type: "snapshot-stored",
      snapshot: name.text,
      key: snapshotKey(this.#primary.config.prefix, name),
      store: this.#primary.store.name,
      ...(secondary === undefined ? {} : { secondary }),
    });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#thread?.close();
    await this.#base?.release();
    await Promise.all([this.#primary.store.close(), this.#secondary?.store.close()]);
  }

  /**
   * Connects the secondary, and gets its token, while keys are derived. A secondary that does not answer then costs the
   * first file no time.
   */
  #connectSecondary(): void {
    // The first file reports the failure.
    this.#secondary?.store.head(MANIFEST_NAME, this.#whileOpen).catch(() => {});
  }

  get #whileOpen(): AbortSignal {
    return AbortSignal.any([this.#context.signal, this.#closed.signal]);
  }

  /**
   * The earliest time of a name after all others, seconds since 1970: otherwise `latest` would not be the last backup
   * once the clock was set back.
   */
  async #nextTime(): Promise<number> {
    const { signal, report } = this.#context;
    const newest = await newestName(this.primary, signal);
    await this.seen.checkNames(this.primary, newest);
    // Taken after the listing, which may be slow.
    const now = Math.floor(Date.now() / 1000);
    if (newest === undefined || newest.time < now) return now;
    if (newest.time > now + NOTICED_SECONDS) {
      const ahead = new Date(newest.time * 1000).toISOString();
      report({
        type: "warning",
        message: `${newest.text} in ${this.primary.name} has a name in the future (${ahead}): this backup is named after it, so that it is the latest`,
      });
    }
    return newest.time + 1;
  }
}

/** Its retries are not reported, since the backup does not wait for them; its failure is. */
async function openSecondary(
  secondary: StoreDestination,
  attempts: number,
  { guard }: OperationContext,
): Promise<SecondaryDestination> {
  const recentFailure = new RecentFailure();
  const policy = { attempts, onRetry: recentFailure.note };
  const store = new MeteredStore(await openRetrying(secondary.config, policy, guard));
  return { ...secondary, store, recentFailure };
}

function leftBehind(error: unknown): string {
  const why = errorMessage(error);
  return `the secondary store is left behind: ${why}; the backup goes on, and backuptool copy brings the rest there`;
}
