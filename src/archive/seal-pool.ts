import { Worker } from "node:worker_threads";
import type { OpenJob, SealJob, SealPoolJob, SealPoolReply } from "./seal-jobs.js";

/** A chunk that is not what was sealed; any other rejection says that the pool itself has failed. */
export class RefusedChunk extends Error {}

interface Waiting {
  resolve(length: number): void;
  reject(error: Error): void;
  worker: number;
}

/**
 * Worker threads that compress and seal chunks, or open and decompress them. Jobs go to the worker
 * with the fewest; results come in any order.
 */
export class SealPool {
  readonly #workers: Worker[] = [];
  readonly #load: number[] = [];
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #failure: Error | undefined;

  constructor(threads = 2) {
    for (let i = 0; i < threads; i++) {
      const worker = new Worker(new URL("./seal-worker.js", import.meta.url));
      worker.on("message", (reply: SealPoolReply) => this.#settle(reply));
      worker.on("error", (error) => this.#fail(error));
      worker.on("exit", () => this.#fail(new Error("a seal worker ended")));
      worker.unref();
      this.#workers.push(worker);
      this.#load.push(0);
    }
  }

  /** Length of the ciphertext and tag in `job.out`. */
  seal(job: Omit<SealJob, "id" | "kind">): Promise<number> {
    return this.#run((id) => ({ kind: "seal", id, ...job }));
  }

  /**
   * Length of the plaintext in `job.out`; rejects with {@link RefusedChunk} when the chunk is not
   * authentic or not a zstd frame.
   */
  open(job: Omit<OpenJob, "id" | "kind">): Promise<number> {
    return this.#run((id) => ({ kind: "open", id, ...job }));
  }

  /** Ends the threads; what is under way rejects. */
  async close(): Promise<void> {
    this.#fail(new Error("the seal pool is closed"));
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #run(make: (id: number) => SealPoolJob): Promise<number> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    let chosen = 0;
    for (let i = 1; i < this.#load.length; i++) {
      if ((this.#load[i] ?? 0) < (this.#load[chosen] ?? 0)) chosen = i;
    }
    const worker = this.#workers[chosen];
    if (worker === undefined) return Promise.reject(new Error("a seal pool without threads"));
    return new Promise<number>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, worker: chosen });
      this.#load[chosen] = (this.#load[chosen] ?? 0) + 1;
      if (this.#waiting.size === 1) for (const w of this.#workers) w.ref();
      worker.postMessage(make(id));
    });
  }

  #settle(reply: SealPoolReply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    this.#load[waiting.worker] = (this.#load[waiting.worker] ?? 1) - 1;
    if (this.#waiting.size === 0) for (const worker of this.#workers) worker.unref();
    if (reply.error === undefined) waiting.resolve(reply.length);
    else waiting.reject(new RefusedChunk(reply.error));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
