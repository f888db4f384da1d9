import { loadZstd } from "../../native-addon.js";
import { SharedMemory } from "../../threads/shared-memory.js";
import type { OpenJob, SealJob, SealPoolJob, SealPoolReply } from "./seal-jobs.js";
import { WorkerCalls } from "../../threads/worker-calls.js";

/** A chunk that is not authentic or not a zstd frame. Any other rejection means that the pool has failed. */
export class InvalidChunk extends Error {}

/**
 * Worker threads that compress and seal chunks, or open and decompress them. Each job goes to the worker with the
 * fewest jobs; results arrive in any order.
 */
export class SealPool {
  /** Memory that the threads share, for the data of jobs. */
  readonly memory = new SharedMemory();
  readonly #threads: number;
  readonly #workers: SealWorker[];

  /** The first thread starts at once, while keys are derived; the others when there is work for them. */
  constructor(threads = 2) {
    // Its error has a code here, and none in the threads.
    loadZstd();
    this.#threads = threads;
    this.#workers = [sealWorker()];
  }

  /** Resolves with the length of ciphertext and tag in `job.out`. */
  seal(job: Omit<SealJob, "id" | "kind">): Promise<number> {
    return this.#run({ kind: "seal", ...job });
  }

  /**
   * Resolves with the length of the plaintext in `job.out`; rejects with {@link InvalidChunk} when the chunk is not
   * authentic or not a zstd frame.
   */
  open(job: Omit<OpenJob, "id" | "kind">): Promise<number> {
    return this.#run({ kind: "open", ...job });
  }

  /** Ends the threads; jobs under way reject. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  async #run(job: Omit<SealJob, "id"> | Omit<OpenJob, "id">): Promise<number> {
    const { length, error } = await this.#leastBusy().call(job);
    if (error !== undefined) throw new InvalidChunk(error);
    return length;
  }

  #leastBusy(): SealWorker {
    const chosen = this.#workers.reduce((one, other) =>
      other.waiting < one.waiting ? other : one,
    );
    if (chosen.waiting === 0 || this.#workers.length >= this.#threads) return chosen;
    const added = sealWorker();
    this.#workers.push(added);
    return added;
  }
}

type SealWorker = WorkerCalls<SealPoolJob, SealPoolReply>;

function sealWorker(): SealWorker {
  return new WorkerCalls(new URL("./seal-worker.js", import.meta.url), "seal worker");
}
