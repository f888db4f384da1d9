import { Worker } from "node:worker_threads";

/** Each message of a union, without the id that {@link WorkerCalls} adds. */
type Call<Job> = Job extends { readonly id: number } ? Omit<Job, "id"> : never;

/**
 * Calls to one worker thread. It answers each with one message that has the same id, in any order. An idle worker does
 * not keep the process alive.
 */
export class WorkerCalls<
  Job extends { readonly id: number },
  Reply extends { readonly id: number },
> {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    number,
    { resolve(reply: Reply): void; reject(error: Error): void }
  >();
  #nextId = 0;
  #failure: Error | undefined;

  /** @param name of the thread, for the error of calls under way when it ends */
  constructor(script: URL, name: string) {
    this.#worker = new Worker(script);
    this.#worker.on("message", (reply: Reply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error(`the ${name} ended`)));
    this.#worker.unref();
  }

  /** Number of calls under way. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** The buffers of `transfer` move to the worker. */
  call(job: Call<Job>, transfer: readonly ArrayBuffer[] = []): Promise<Reply> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      if (this.#waiting.size === 1) this.#worker.ref();
      this.#worker.postMessage({ id, ...job }, transfer);
    });
  }

  /** Ends the thread; calls under way reject. */
  async close(): Promise<void> {
    this.#fail(new Error("the thread is closed"));
    await this.#worker.terminate();
  }

  #settle(reply: Reply): void {
    const waiting = this.#waiting.get(reply.id);
    if (waiting === undefined) return;
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker.unref();
    waiting.resolve(reply);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
