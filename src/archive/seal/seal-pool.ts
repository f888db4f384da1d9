import { SharedMemory } from "../../threads/shared-memory.js";
import type { OpenJob, SealJob, SealPoolJob, SealPoolReply } from "./seal-jobs.js";
import { WorkerCalls } from "../../threads/worker-calls.js";

/** A chunk that is not what was sealed; any other rejection says that the pool itself has failed. */
export class RefusedChunk extends Error {}

/**
 * Worker threads that compress and seal chunks, or open and decompress them. Jobs go to the worker
 * with the fewest; results come in any order.
 */
export class SealPool {
  /** For what the jobs work on. */
  readonly memory = new SharedMemory();
  readonly #threads: number;
  readonly #workers = [sealWorker()];

  /** The first thread starts at once, while keys are derived; the others when there is work for them. */
  constructor(threads = 2) {
    this.#threads = threads;
  }

  /** Length of the ciphertext and tag in `job.out`. */
  seal(job: Omit<SealJob, "id" | "kind">): Promise<number> {
    return this.#run({ kind: "seal", ...job });
  }

  /**
   * Length of the plaintext in `job.out`; rejects with {@link RefusedChunk} when the chunk is not
   * authentic or not a zstd frame.
   */
  open(job: Omit<OpenJob, "id" | "kind">): Promise<number> {
    return this.#run({ kind: "open", ...job });
  }

  /** Ends the threads; what is under way rejects. */
  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  async #run(job: Omit<SealJob, "id"> | Omit<OpenJob, "id">): Promise<number> {
    const { length, error } = await this.#leastBusy().call(job);
    if (error !== undefined) throw new RefusedChunk(error);
    return length;
  }

  #leastBusy(): SealWorker {
    const chosen = this.#workers.reduce((one, other) =>
      other.waiting < one.waiting ? other : one,
    );
    if (chosen.waiting === 0 || this.#workers.length === this.#threads) return chosen;
    const added = sealWorker();
    this.#workers.push(added);
    return added;
  }
}

type SealWorker = WorkerCalls<SealPoolJob, SealPoolReply>;

function sealWorker(): SealWorker {
  return new WorkerCalls(new URL("./seal-worker.js", import.meta.url), "seal worker");
}
