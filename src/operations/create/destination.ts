import type { BackupTarget } from "../../archive/backup-target.js";
import { FileThread } from "../../threads/file-thread.js";
import { FolderTarget } from "../../archive/folder-target.js";
import { MANIFEST_NAME } from "../../archive/format.js";
import type { Metadata } from "../../archive/metadata.js";
import { throwIfAborted, UsageError } from "../../errors.js";
import type { Destination, SecondaryDestination } from "../../replication/destination.js";
import { manifestKey } from "../../snapshots/manifest.js";
import { type SnapshotName, snapshotKey, snapshotName } from "../../snapshots/name.js";
import { SnapshotTarget } from "../../replication/snapshot-target.js";
import { newestName } from "../../snapshots/catalog.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { MeteredStore } from "../../snapstore/layers/metered.js";
import { RecentFailure } from "../../snapstore/layers/recent-failure.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { OperationContext } from "../context.js";
import { retryNotes } from "../open/retry-notes.js";
import { SeenSnapshots } from "../open/seen-snapshots.js";
import { openRetrying } from "../open/stores.js";

/** A store that a backup goes to, and how files are sent there. */
export interface StoreDestination {
  readonly config: StoreConfig;
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
}

/** Tries of one call: hours of reading should not be lost to a store that is away for minutes. */
const ATTEMPTS = 8;
/** Added to an ARCHIVE file's size for what is being sealed when it is full. */
const SLACK_BYTES = 256 << 20;
/** A name ahead of the clock by no more is not worth a word. */
const NOTICED_SECONDS = 60;

/** The stores of a new backup. */
export class CreateStores {
  readonly #primary: Destination & StoreDestination;
  readonly #secondary: SecondaryDestination | undefined;
  readonly #context: OperationContext;
  /** Shared with who looks for the base, so that each store is warned of once. */
  readonly seen: SeenSnapshots;
  readonly #closed = new AbortController();
  #thread: FileThread | undefined;
  #name: SnapshotName | undefined;
  /** Whether the secondary store lacks something of the backup. */
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
    this.#greetSecondary();
  }

  /** Throws UsageError for the same place twice; a secondary that cannot be opened is warned of. */
  static async open(
    primary: StoreDestination,
    secondary: StoreDestination | undefined,
    context: OperationContext,
  ): Promise<CreateStores> {
    const onRetry = retryNotes(context.report);
    const store = await openRetrying(primary.config, { attempts: ATTEMPTS, onRetry });
    const first = { ...primary, store };
    let second: SecondaryDestination | undefined;
    let behind = false;
    try {
      second = secondary && (await openSecondary(secondary));
    } catch (error) {
      behind = true;
      context.report({ type: "warning", message: leftBehind(error) });
    }
    if (second?.store.place === first.store.place) {
      await Promise.all([first.store.close(), second.store.close()]);
      throw new UsageError(`both stores are the same place: ${first.store.name}`, {
        hint: "a second copy has to be somewhere else",
      });
    }
    return new CreateStores(first, second, behind, context);
  }

  get primary(): SnapStore {
    return this.#primary.store;
  }

  get behind(): boolean {
    return this.#behind;
  }

  /**
   * Finds out, while other things are done, whether the secondary has the base too: what stands on it could not be
   * restored from there.
   */
  standsOn(snapshot: string): void {
    const { report } = this.#context;
    const lacking = (found: unknown): void => {
      if (found !== undefined) return;
      this.#behind = true;
      report({
        type: "warning",
        message: `the secondary store does not have ${snapshot}, the base of this backup: copy it there`,
      });
    };
    // A secondary that does not answer is told of by the files that it does not take.
    this.#secondary?.store.head(manifestKey(snapshot), this.#whileOpen).then(lacking, () => {});
  }

  /** Where the files of the backup go, with `folder` there too, and its name in the stores. */
  async target(
    name: Omit<SnapshotName, "text" | "time">,
    folder: string | undefined,
    archiveBytes: number,
  ): Promise<{ target: BackupTarget; snapshot: string }> {
    const { signal, report } = this.#context;
    const free = await this.#freeName(name);
    this.#name = free;
    this.#thread = new FileThread();
    report({ type: "snapshot-begun", snapshot: free.text, store: this.#primary.store.name });
    const target = new SnapshotTarget({
      snapshot: free.text,
      primary: this.#primary,
      secondary: this.#secondary,
      folder: folder === undefined ? undefined : new FolderTarget(folder),
      thread: this.#thread,
      expectedFileBytes: archiveBytes + SLACK_BYTES,
      signal,
      onSecondaryFailed: (error) => {
        this.#behind = true;
        report({ type: "warning", message: leftBehind(error) });
      },
    });
    return { target, snapshot: free.text };
  }

  /** Says where the backup is, once it is there, and remembers it. */
  async reportStored({ id, finishedAt }: Metadata): Promise<void> {
    if (this.#name === undefined) return;
    const made = { name: this.#name, id, finishedAt };
    await this.seen.remember(this.primary, made);
    if (this.#secondary !== undefined && !this.#behind) {
      await this.seen.remember(this.#secondary.store, made);
    }
    const secondary = this.#behind ? undefined : this.#secondary?.store.name;
    this.#context.report({
      type: "snapshot-stored",
      snapshot: this.#name.text,
      key: snapshotKey(this.#primary.config.prefix, this.#name),
      store: this.#primary.store.name,
      ...(secondary === undefined ? {} : { secondary }),
    });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#thread?.close();
    await Promise.all([this.#primary.store.close(), this.#secondary?.store.close()]);
  }

  /**
   * While keys are derived and clusters are connected, the secondary makes its connection and gets its
   * token. One that does not answer even then is known when files come, and costs them no time.
   */
  #greetSecondary(): void {
    // What is wrong with it the first file will show.
    this.#secondary?.store.head(MANIFEST_NAME, this.#whileOpen).catch(() => {});
  }

  get #whileOpen(): AbortSignal {
    return AbortSignal.any([this.#context.signal, this.#closed.signal]);
  }

  /**
   * Nothing is ever written below a name that is taken: the next second is. Nor before another name:
   * `latest` would not be the backup that was made last, if the clock was set back.
   */
  async #freeName(name: Omit<SnapshotName, "text" | "time">): Promise<SnapshotName> {
    const { signal } = this.#context;
    for (let time = await this.#nextTime(); ; time++) {
      throwIfAborted(signal);
      const wanted = snapshotName({ ...name, time });
      const { objects } = await this.primary.list(`${wanted.text}/`, { limit: 1, signal });
      if (objects.length > 0) continue;
      // An object of another tool that has the name: of a large one of Swift, all that is below it may be a part.
      if ((await this.primary.head(wanted.text, signal)) === undefined) return wanted;
    }
  }

  /** Seconds since 1970. */
  async #nextTime(): Promise<number> {
    const { signal, report } = this.#context;
    const newest = await newestName(this.primary, signal);
    await this.seen.checkNames(this.primary, newest);
    // After the listing, which may take long: the name's time should not be far before the start.
    const now = Math.floor(Date.now() / 1000);
    if (newest === undefined || newest.time < now) return now;
    if (newest.time > now + NOTICED_SECONDS) {
      const ahead = new Date(newest.time * 1000).toISOString();
      report({
        type: "warning",
        message: `${newest.text} in ${this.primary.name} is named by a time that has not come yet (${ahead}): this one is named after it, so that it is the latest`,
      });
    }
    return newest.time + 1;
  }
}

/** Nobody waits for it, so nothing is said of its tries before it is given up. */
async function openSecondary(secondary: StoreDestination): Promise<SecondaryDestination> {
  const recentFailure = new RecentFailure();
  const policy = { attempts: ATTEMPTS, onRetry: recentFailure.note };
  const store = new MeteredStore(await openRetrying(secondary.config, policy));
  return { ...secondary, store, recentFailure };
}

function leftBehind(error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  return `the secondary store is left behind: ${why}; the backup goes on; copy the rest there afterwards`;
}
