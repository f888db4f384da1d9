import { closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InterruptedError } from "../errors.js";

/** Longer than any key, chain of certificates or configuration. */
const MAX_BYTES = 1 << 20;
const POLL_MS = 20;
/** How long a named pipe may be without a process that writes to it, ms. */
const WRITER_WITHIN_MS = 10_000;
/** How long the main thread may wait for a writer that is silent, ms. Signals are not observed meanwhile. */
const BLOCKED_MS = 10_000;

/**
 * Reads a small file that the user names: settings, credentials, a passphrase. Also a pipe, as `<(…)` makes one, or a
 * terminal; while these are silent, the signal is observed. Throws Node's errors, InterruptedError, and an Error that
 * says why what is there cannot be read.
 */
export async function readInputFile(path: string, signal?: AbortSignal): Promise<Buffer> {
  const reading = new Reading(path);
  try {
    while (!reading.step()) await sleep(POLL_MS, undefined, signal && { signal });
    return reading.result;
  } catch (error) {
    throw signal?.aborted ? new InterruptedError() : error;
  } finally {
    reading.close();
  }
}

/** The same where nothing can be awaited; throws after 10 seconds of silence. */
export function readInputFileSync(path: string): Buffer {
  const reading = new Reading(path);
  const asleep = new Int32Array(new SharedArrayBuffer(4));
  try {
    const deadline = performance.now() + BLOCKED_MS;
    while (!reading.step()) {
      if (performance.now() > deadline) throw new Error("nothing comes out of the pipe");
      Atomics.wait(asleep, 0, 0, POLL_MS);
    }
    return reading.result;
  } finally {
    reading.close();
  }
}

class Reading {
  readonly #fd: number;
  /** When a named pipe to which nothing was written counts as abandoned; undefined for anything else. */
  readonly #writerBy: number | undefined;
  readonly #room = Buffer.alloc(MAX_BYTES + 1);
  #length = 0;

  constructor(path: string) {
    const { O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
    // A blocking open of a pipe waits for a process that writes to it.
    this.#fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    const stats = fstatSync(this.#fd);
    const named = stats.isFIFO() && !isAnonymous(this.#fd);
    this.#writerBy = named ? performance.now() + WRITER_WITHIN_MS : undefined;
  }

  get result(): Buffer {
    return Buffer.from(this.#room.subarray(0, this.#length));
  }

  /** False while nothing can be read yet. */
  step(): boolean {
    for (;;) {
      const read = this.#read();
      if (read === undefined) return false;
      if (read === 0) return this.#length > 0 || !this.#awaitsWriter();
      this.#length += read;
      if (this.#length > MAX_BYTES) throw new Error(`it is longer than ${MAX_BYTES} bytes`);
    }
  }

  close(): void {
    this.#room.fill(0);
    closeSync(this.#fd);
  }

  /** 0 at the end; undefined when there is nothing yet. */
  #read(): number | undefined {
    try {
      return readSync(this.#fd, this.#room, this.#length, this.#room.length - this.#length, null);
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
      throw error;
    }
  }

  /** A pipe without a writer looks like one at its end. */
  #awaitsWriter(): boolean {
    if (this.#writerBy === undefined) return false;
    if (performance.now() < this.#writerBy) return true;
    throw new Error("it is a pipe, and no process writes to it");
  }
}

/** Whether a pipe never had a name: the writer of such a one was there when it was made. */
function isAnonymous(fd: number): boolean {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).startsWith("pipe:");
  } catch {
    return false;
  }
}
