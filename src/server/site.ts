import { isDeepStrictEqual } from "node:util";
import {
  type CircuitBreakerPolicy,
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  ExponentialBackoff,
  handleWhen,
  isBrokenCircuitError,
} from "cockatiel";
import { BackupToolError, InterruptedError, UsageError } from "../errors.js";
import { SyncError } from "../replication/sync/sync-error.js";
import { copyRetryPolicy, type RetrySettings } from "../replication/copy/retries.js";
import type { StoreDestination } from "../operations/create/destination.js";
import { openRetrying } from "../operations/open/stores.js";
import { CachedCatalog } from "../snapshots/cached-catalog.js";
import type { StoredSnapshot } from "../snapshots/catalog.js";
import { readScrubProgress, type ScrubProgress } from "../snapshots/control/scrub-progress.js";
import { heldNames } from "../snapshots/holds.js";
import type { StoredStream } from "../snapshots/streams/stored-stream.js";
import { StoreError } from "../snapstore/errors.js";
import { ReplaceableStore } from "../snapstore/layers/replaceable.js";
import type { FailedCall } from "../snapstore/layers/retry-policy.js";
import type { WriteGuard } from "../snapstore/layers/guarded.js";
import { shownContainer } from "../snapstore/shown-container.js";
import type { SnapStore } from "../snapstore/store.js";
import type { Log } from "./log.js";
import { siteOf } from "./site-failure.js";
import type { Site as SiteName } from "./status.js";

/** What a store says that is in order: it may be full, or hold too much to list, and has to be cleaned then. */
const ANSWERS: ReadonlySet<string> = new Set([
  "STORE_EXISTS",
  "STORE_IMMUTABLE",
  "STORE_FULL",
  "STORE_OVERFLOW",
]);
/** Failures in a row after which a store is left alone for a while. */
const BREAK_AFTER = 3;
const FIRST_BREAK_MS = 5_000;
const LONGEST_BREAK_MS = 5 * 60_000;
/** Longest time between two listings, ms. */
const CHECK_EVERY_MS = 5 * 60_000;
/** How long a store with former credentials stays open, ms. */
const FORMER_MS = 3600_000;
/** A check of a store has to end soon: it is what says that the store is down. */
const CHECKS = { attempts: 2, totalMs: 60_000, callMs: 30_000 };

export interface SiteOptions {
  readonly retries: RetrySettings;
  /** Of each call that changes the store. */
  readonly guard: WriteGuard;
  readonly log: Log;
  /** Deltas that a listing may hold; five million by default. */
  readonly maxDeltas?: number;
  /** The store answers again. */
  onRecovered(site: SiteName): void;
  /** A call is tried again. */
  onRetry(site: SiteName): void;
  /** A listing begins, or has succeeded. */
  onListing?(site: SiteName, listing?: SiteListing): void;
}

/** What a store holds, as it was listed. */
export interface SiteListing {
  readonly snapshots: readonly StoredSnapshot[];
  /** Of deltas of etcd, by their start. */
  readonly streams: readonly StoredStream[];
  /** Names of the snapshots with a hold. */
  readonly holds: ReadonlySet<string>;
  readonly scrub: ScrubProgress | undefined;
  readonly at: Date;
}

/** The store of one site while a server runs: open, listed now and then, and left alone while it is down. */
export class Site {
  readonly name: SiteName;
  readonly #options: SiteOptions;
  readonly #label: string;
  #breaker: CircuitBreakerPolicy;
  /** Replaced by stores with other credentials. */
  readonly #former = new Set<SnapStore>();
  #open: OpenStore | undefined;
  #checking: Promise<void> | undefined;
  #error: Error | undefined;
  #listing: SiteListing | undefined;
  #checkedMs: number | undefined;
  #failedChecks = 0;

  constructor(name: SiteName, { config }: StoreDestination, options: SiteOptions) {
    this.name = name;
    this.#options = options;
    this.#label = [`${config.provider}:${shownContainer(config)}`, config.prefix]
      .filter((part) => part !== "")
      .join("/");
    this.#breaker = this.#newBreaker();
  }

  /** Closes the breaker. It waits by the time of day, which may have been set back. */
  forgetFailures(): void {
    this.#breaker = this.#newBreaker();
  }

  /** For reading, and for what decides who leads. Throws {@link InterruptedError} after `close`. */
  get checks(): SnapStore {
    return this.#opened.checks;
  }

  /** For jobs: it may be written to while this server leads. Throws {@link InterruptedError} after `close`. */
  get store(): SnapStore {
    return this.#opened.store;
  }

  get catalog(): CachedCatalog {
    return this.#opened.catalog;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  get breaker(): "closed" | "open" | "half-open" {
    const state = this.#breaker.state;
    if (state === CircuitState.Closed) return "closed";
    return state === CircuitState.Open ? "open" : "half-open";
  }

  /** The store in messages. */
  get label(): string {
    return this.#open?.checks.name ?? this.#label;
  }

  /** The store's path in its container. */
  get prefix(): string {
    return this.#open?.destination.config.prefix ?? "";
  }

  /** The last one that succeeded. */
  get listing(): SiteListing | undefined {
    return this.#listing;
  }

  get checking(): boolean {
    return this.#checking !== undefined;
  }

  /** Whether it is time for another check. The breaker decides about a store that is down. */
  get checkIsDue(): boolean {
    if (this.checking) return false;
    const age = performance.now() - (this.#checkedMs ?? Number.NEGATIVE_INFINITY);
    if (this.#error === undefined) return age >= CHECK_EVERY_MS;
    // Not every failure opens the breaker.
    return (
      age >= Math.min(CHECK_EVERY_MS, 500 * 2 ** this.#failedChecks) || this.breaker !== "closed"
    );
  }

  /** Why the last check failed. */
  get error(): Error | undefined {
    return this.#error;
  }

  /** Runs work on the store; its failures count towards the breaker. Throws BREAKER_OPEN while that is open. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#breaker.execute(work);
    } catch (error) {
      if (!isBrokenCircuitError(error)) throw error;
      throw new BackupToolError(
        "BREAKER_OPEN",
        `${this.label} is not used for now, after failures`,
      );
    }
  }

  /**
   * Opens the store, again where its credentials have changed, and lists it. Concurrent calls share one check.
   *
   * @param accept throws for a store that must not be used
   * @throws StoreError, BREAKER_OPEN, InterruptedError
   */
  check(
    destination: StoreDestination,
    accept: (store: SnapStore) => void,
    signal: AbortSignal,
  ): Promise<void> {
    this.#checking ??= this.#check(destination, accept, signal).finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    const former = [...this.#former];
    this.#former.clear();
    await Promise.all([open?.checks, open?.store, ...former].map((store) => store?.close()));
  }

  async #check(
    destination: StoreDestination,
    accept: (store: SnapStore) => void,
    signal: AbortSignal,
  ): Promise<void> {
    await this.run(async () => {
      try {
        await this.#use(destination);
        accept(this.store);
        const { checks, catalog } = this.#opened;
        this.#options.onListing?.(this.name);
        const { snapshots, streams } = await catalog.listAll(signal);
        const holds = await heldNames(checks, signal);
        const scrub = await readScrubProgress(checks, signal);
        this.#listing = { snapshots, streams, holds, scrub, at: new Date() };
        this.#options.onListing?.(this.name, this.#listing);
        this.#error = undefined;
        this.#failedChecks = 0;
      } catch (error) {
        if (!(error instanceof InterruptedError) && error instanceof Error) {
          this.#error = error;
          this.#failedChecks++;
        }
        throw error;
      } finally {
        this.#checkedMs = performance.now();
      }
    });
  }

  /** Opens the store, again where its credentials have changed. @throws StoreError, UsageError for another place */
  async #use(destination: StoreDestination): Promise<void> {
    if (isDeepStrictEqual(this.#open?.destination, destination)) return;
    const { retries, guard, log, maxDeltas } = this.#options;
    const onRetry = ({ error }: FailedCall): void => {
      this.#options.onRetry(this.name);
      log.debug({ site: this.name, reason: error.reason }, "Retrying a call to the store");
    };
    const { config } = destination;
    const checks = await openRetrying(config, CHECKS);
    const work = await openRetrying(config, { ...copyRetryPolicy(retries), onRetry }, guard);
    const open = this.#open;
    if (open === undefined) {
      const store = new ReplaceableStore(work);
      const readable = new ReplaceableStore(checks);
      const catalog = new CachedCatalog(readable, { maxDeltas });
      this.#open = { destination, checks: readable, store, catalog };
      return;
    }
    if (open.store.place !== work.place) {
      await Promise.all([checks.close(), work.close()]);
      throw new UsageError(`the ${this.name} store is another one now: ${work.name}`, {
        hint: "restart the server to use it",
      });
    }
    for (const former of [open.checks.replace(checks), open.store.replace(work)]) {
      this.#closeLater(former);
    }
    this.#open = { ...open, destination };
    log.info({ site: this.name }, "The store is used with new credentials");
  }

  /** Uploads in progress stay with the store that they began on. */
  #closeLater(former: SnapStore): void {
    this.#former.add(former);
    const close = (): void => {
      if (this.#former.delete(former)) former.close().catch(() => {});
    };
    setTimeout(close, FORMER_MS).unref();
  }

  #newBreaker(): CircuitBreakerPolicy {
    const breaker = circuitBreaker(
      handleWhen((error) => this.#isFailure(error)),
      {
        breaker: new ConsecutiveBreaker(BREAK_AFTER),
        halfOpenAfter: new ExponentialBackoff({
          initialDelay: FIRST_BREAK_MS,
          maxDelay: LONGEST_BREAK_MS,
        }),
      },
    );
    breaker.onReset(() => this.#options.onRecovered(this.name));
    return breaker;
  }

  get #opened(): OpenStore {
    if (this.#open === undefined) throw new InterruptedError("the server is stopping");
    return this.#open;
  }

  /** Whether an error says that this store is down. */
  #isFailure(error: unknown): boolean {
    if (error instanceof SyncError) return siteOf(error) === this.name && !ANSWERS.has(error.code);
    if (!(error instanceof StoreError)) return false;
    if (this.#open !== undefined && error.store !== this.#open.checks.name) return false;
    return !ANSWERS.has(error.code);
  }
}

interface OpenStore {
  readonly destination: StoreDestination;
  readonly checks: ReplaceableStore;
  readonly store: ReplaceableStore;
  readonly catalog: CachedCatalog;
}
