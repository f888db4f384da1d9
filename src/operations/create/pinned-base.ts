import { BackupToolError } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import { type Pin, pinSnapshot } from "../../snapshots/control/pins.js";
import { type PlannedDeletions, plannedDeletions } from "../../snapshots/control/plans.js";
import { manifestKey } from "../../snapshots/manifest.js";
import type { SnapStore } from "../../snapstore/store.js";

/** Manifests that are looked up concurrently. */
const WINDOW = 8;

/** The base of an incremental in the store that receives it, which must keep it until the incremental is complete. */
export class PinnedBase {
  readonly #store: SnapStore;
  readonly #snapshot: string;
  readonly #pin: Pin;
  readonly #planned: PlannedDeletions;
  #chain: readonly string[];
  #state: "being-made" | "manifest-sent" | "complete" = "being-made";

  private constructor(store: SnapStore, snapshot: string, pin: Pin, planned: PlannedDeletions) {
    this.#store = store;
    this.#snapshot = snapshot;
    this.#pin = pin;
    this.#planned = planned;
    this.#chain = [snapshot];
  }

  /** Pins the base, and then looks for planned deletions: a deletion that does not see the pin is seen here. */
  static async pin(store: SnapStore, snapshot: string, signal: AbortSignal): Promise<PinnedBase> {
    const pin = await pinSnapshot(store, snapshot, signal);
    try {
      const planned = await plannedDeletions(store, pin.storeTime, signal);
      return new PinnedBase(store, snapshot, pin, planned);
    } catch (error) {
      await pin.release();
      throw error;
    }
  }

  /** Throws NO_BASE if a deletion of the base or one of its own bases is planned, or one is gone already. */
  async checkChain(bases: readonly string[], signal: AbortSignal): Promise<void> {
    this.#chain = [this.#snapshot, ...bases];
    const { names, unreadable } = this.#planned;
    const planned = this.#chain.find((name) => names.has(name));
    if (planned !== undefined)
      throw noBase(`${planned} is about to be deleted in ${this.#store.name}`);
    if (unreadable !== undefined) {
      throw noBase(
        `${unreadable} in ${this.#store.name} cannot be read, so it may plan to delete ${this.#snapshot}`,
      );
    }
    await this.#checkManifests(signal);
  }

  /** Throws NO_BASE or NOT_RENEWED if the chain may have been deleted meanwhile. */
  async checkBeforeManifest(signal: AbortSignal): Promise<void> {
    await this.#checkManifests(signal);
    this.#pin.check();
    this.#state = "manifest-sent";
  }

  /** The incremental is complete: from now on it needs its base by itself. */
  complete(): void {
    this.#state = "complete";
  }

  /** Never throws. */
  async release(): Promise<void> {
    // The manifest of a run that failed may still reach the store.
    if (this.#state === "manifest-sent") await this.#pin.leave();
    else await this.#pin.release();
  }

  async #checkManifests(signal: AbortSignal): Promise<void> {
    await inParallel(this.#chain, WINDOW, async (name) => {
      if ((await this.#store.head(manifestKey(name), signal)) !== undefined) return;
      throw noBase(`${name}, which this backup needs, was deleted in ${this.#store.name}`);
    });
  }
}

function noBase(message: string): BackupToolError {
  return new BackupToolError("NO_BASE", message, {
    hint: "try again in a minute with a newer base, or make a full backup",
  });
}
