import { BackupToolError } from "../../errors.js";
import { Moment } from "../../flow/moment.js";
import type { WriteGuard } from "../../snapstore/layers/guarded.js";
import type { SnapStore } from "../../snapstore/store.js";
import { RENEW_AFTER_MS, STOP_AFTER_MS } from "./lifetime.js";
import { removeControlFile } from "./listed-file.js";

/** Writes the files anew, under new names; resolves with their keys. */
type WriteFiles = (signal: AbortSignal) => Promise<string[]>;

const CHECK_EVERY_MS = 10 * 60_000;
const RENEW_MS = 5 * 60_000;

/**
 * Control files of a process that is at work. They are renewed under new names, since a store may lock each object; as
 * a guard it stops the work when that failed for too long, or the process was paused.
 */
export class RenewedFiles implements WriteGuard {
  readonly #store: SnapStore;
  readonly #write: WriteFiles;
  readonly #what: string;
  readonly #timer: NodeJS.Timeout;
  readonly #ended = new AbortController();
  #keys: readonly string[];
  /** Before the files were written. */
  #written: Moment;
  #renewing: Promise<void> = Promise.resolve();

  private constructor(
    store: SnapStore,
    what: string,
    write: WriteFiles,
    keys: readonly string[],
    written: Moment,
  ) {
    this.#store = store;
    this.#what = what;
    this.#write = write;
    this.#keys = keys;
    this.#written = written;
    this.#timer = setInterval(() => this.#renewIfOld(), CHECK_EVERY_MS).unref();
  }

  /** @param what the files, for messages */
  static async write(
    store: SnapStore,
    what: string,
    write: WriteFiles,
    signal: AbortSignal,
  ): Promise<RenewedFiles> {
    const written = Moment.now();
    return new RenewedFiles(store, what, write, await write(signal), written);
  }

  /** Throws NOT_RENEWED. */
  check(): void {
    if (this.#written.elapsedMs() < STOP_AFTER_MS) return;
    throw new BackupToolError(
      "NOT_RENEWED",
      `${this.#what} could not be renewed for ${STOP_AFTER_MS / 3_600_000} hours, so other processes may not observe it any more`,
      { hint: "was this machine suspended, or the store unreachable? Start again" },
    );
  }

  async confirm(): Promise<void> {
    this.check();
  }

  /** Leaves the files as they are: others observe them for a day. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    this.#ended.abort();
    await this.#renewing;
  }

  /** Removes the files. Never throws: others ignore them when they are a day old. */
  async remove(): Promise<void> {
    await this.leave();
    await Promise.all(this.#keys.map((key) => removeControlFile(this.#store, key)));
  }

  #renewIfOld(): void {
    if (this.#written.elapsedMs() < RENEW_AFTER_MS) return;
    this.#renewing = this.#renewing.then(() => this.#renew());
  }

  async #renew(): Promise<void> {
    if (this.#ended.signal.aborted || this.#written.elapsedMs() < RENEW_AFTER_MS) return;
    const signal = AbortSignal.any([this.#ended.signal, AbortSignal.timeout(RENEW_MS)]);
    const written = Moment.now();
    const before = this.#keys;
    try {
      this.#keys = [...before, ...(await this.#write(signal))];
    } catch {
      // The next check tries again, and `check` stops the work in time.
      return;
    }
    this.#written = written;
    this.#keys = this.#keys.slice(before.length);
    await Promise.all(before.map((key) => removeControlFile(this.#store, key)));
  }
}
