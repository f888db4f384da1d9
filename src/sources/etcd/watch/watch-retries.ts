import { EtcdError } from "../errors.js";
import { FailureCounts } from "./failure-counts.js";
import { WatchEnded } from "./watch-ended.js";

/** How often the same is seen before it counts: an endpoint may be wrong once. */
const TRIES = 2;
/** Failures in a row, by which no watch is possible while etcd answers other calls. */
const MAX_FAILURES = 20;
/** Longest pause before the next endpoint is tried, ms. */
const MAX_PAUSE_MS = 2_000;
const FIRST_PAUSE_MS = 50;

/** Decides after each failure of a watch whether the next endpoint is tried. */
export class WatchRetries {
  readonly #endpoints: number;
  readonly #behind: () => Promise<WatchEnded | undefined>;
  readonly #failures = new FailureCounts();

  /**
   * @param behind resolves with an error when etcd, by a linearizable read, has more than the watch; rejects when etcd
   *   was restored, or cannot be read
   */
  constructor(endpoints: number, behind: () => Promise<WatchEnded | undefined>) {
    this.#endpoints = endpoints;
    this.#behind = behind;
  }

  /** Revisions have come since the last failure. */
  progressed(): void {
    this.#failures.clear();
  }

  /** etcd has accepted the login. */
  accepted(): void {
    this.#failures.forget("denied");
  }

  get pauseMs(): number {
    const round = Math.floor(Math.max(0, this.#failures.all - 1) / this.#endpoints);
    return Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** round);
  }

  /** Resolves with the error if another try may help, and throws it otherwise. */
  async judge(error: unknown): Promise<EtcdError | WatchEnded> {
    if (error instanceof WatchEnded) {
      const { reason } = error;
      const seen = this.#failures.add(reason);
      if (reason === "hole" && seen < TRIES) return error;
      if (reason === "stuck" && seen < Math.max(TRIES, this.#endpoints)) return error;
      throw error;
    }
    if (!(error instanceof EtcdError)) throw error;
    if (error.code === "ETCD_AUTH" && this.#failures.add("denied") >= TRIES) {
      throw new WatchEnded("denied", "the user may not watch all keys", {
        cause: error,
        hint: "the user needs a role that reads all keys",
        settings: ["user"],
      });
    }
    this.#failures.add("call");
    await this.#checkOthers(error);
    return error;
  }

  async #checkOthers(error: EtcdError): Promise<void> {
    const isHopeless = this.#failures.all >= MAX_FAILURES;
    // One endpoint may be of another cluster by mistake: then the others still have the history.
    if (!isHopeless && error.code !== "ETCD_MIXED_CLUSTERS") return;
    try {
      const behind = await this.#behind();
      if (isHopeless && behind !== undefined) throw behind;
    } catch (failure) {
      if (!(failure instanceof EtcdError)) throw failure;
    }
  }
}
