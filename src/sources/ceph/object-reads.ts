import { InterruptedError, throwIfAborted } from "../../errors.js";
import { Waiters } from "../../flow/waiters.js";
import { callBinding } from "./binding-call.js";
import type { PoolHandle, ReadBatch } from "./librados.js";
import { NameQueue } from "./name-queue.js";
import { memoryOfAttributes } from "./pairs.js";
import { type GroupAnswer, type GroupRequest, openAnswer } from "./read-group.js";
import { ReadSizes } from "./read-sizes.js";
import { SLAB_BYTES, SlabPool } from "./slab-pool.js";
import type { NameBatch, ReadGroup } from "./types.js";

export interface ReadOptions {
  /**
   * Approximate memory for the data of objects that were read and not released. Attributes of objects in flight, or not
   * yet yielded, may take half as much.
   */
  readonly memoryBytes: number;
  readonly signal: AbortSignal;
}

/** Objects of a group. */
const GROUP_OBJECTS = 64;
/** Most objects in flight; more would only queue up at the OSDs. */
const IN_FLIGHT_OBJECTS = 512;
/** Groups that share the memory for attributes where those are large. */
const ATTRIBUTE_GROUPS = 8;
/** Groups in flight before the first answer, which shows the size of objects. */
const FIRST_GROUPS = 2;

/**
 * Reads many objects in groups, with a window of groups in flight. One operation reads an object, with as much data and as
 * many pairs of the omap as objects of this pool usually have. An object with more is read again: whole up to a slab, or
 * with a page of its omap. A larger object comes with its first part.
 */
export class ObjectReads {
  readonly #pool: PoolHandle;
  readonly #signal: AbortSignal;
  readonly #slabs: SlabPool;
  readonly #sizes = new ReadSizes();
  readonly #attributesLimit: number;
  readonly #again: GroupRequest[] = [];
  readonly #answers: GroupAnswer[] = [];
  readonly #changed = new Waiters();
  #objectsInFlight = 0;
  #groupsInFlight = 0;
  /** Memory of the attributes of all objects in flight or not yet consumed. */
  #attributes = 0;
  #failure: { error: unknown } | undefined;

  constructor(pool: PoolHandle, { memoryBytes, signal }: ReadOptions) {
    this.#pool = pool;
    this.#signal = signal;
    const slabs = Math.max(2, Math.floor(memoryBytes / SLAB_BYTES));
    this.#slabs = new SlabPool(slabs, () => this.#changed.wakeAll());
    this.#attributesLimit = memoryBytes / 2;
  }

  async *run(batches: AsyncIterable<NameBatch>): AsyncGenerator<ReadGroup> {
    const fail = (error: unknown): void => this.#fail(error);
    const names = new NameQueue(batches, () => this.#changed.wakeAll(), fail);
    const abort = (): void => fail(new InterruptedError());
    this.#signal.addEventListener("abort", abort, { once: true });
    try {
      throwIfAborted(this.#signal);
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error;
        this.#startReads(names);
        const answer = this.#answers.shift();
        if (answer !== undefined) {
          const { again, ...group } = openAnswer(this.#pool.name, answer, this.#sizes);
          this.#again.push(...again);
          yield group;
          this.#attributes -= answer.request.attributes;
          continue;
        }
        if (names.isEnded && this.#groupsInFlight === 0 && this.#again.length === 0) return;
        await this.#changed.wait();
      }
    } finally {
      this.#signal.removeEventListener("abort", abort);
      await names.close();
    }
  }

  #startReads(names: NameQueue): void {
    while (this.#mayStart) {
      const request = this.#again.shift() ?? this.#nextRequest(names);
      if (request === undefined) return;
      this.#start(request);
    }
  }

  get #mayStart(): boolean {
    if (this.#objectsInFlight >= IN_FLIGHT_OBJECTS) return false;
    if (!this.#sizes.isKnown && this.#groupsInFlight >= FIRST_GROUPS) return false;
    // The consumer may hold all slabs and wait for objects: one more read must then start.
    if (this.#groupsInFlight === 0 && this.#answers.length === 0) return true;
    return this.#slabs.isFree && this.#attributes < this.#attributesLimit;
  }

  #nextRequest(queue: NameQueue): GroupRequest | undefined {
    const { dataLength, pairs, attributes } = this.#sizes;
    const fitting = Math.min(
      SLAB_BYTES / dataLength,
      this.#attributesLimit / ATTRIBUTE_GROUPS / attributes,
    );
    const names = queue.take(Math.min(GROUP_OBJECTS, Math.max(1, Math.floor(fitting))));
    if (names === undefined) return undefined;
    return { names, dataLength, pairs, attributes: names.count * attributes, isForOmap: false };
  }

  #start(request: GroupRequest): void {
    const { names, dataLength, pairs } = request;
    const { native, number, name: pool } = this.#pool;
    const slab = this.#slabs.take();
    this.#attributes += request.attributes;
    this.#objectsInFlight += names.count;
    this.#groupsInFlight++;
    const asked = {
      attributes: true,
      data: { offset: 0, length: dataLength, memory: slab.bytes },
      omap: { after: FIRST_KEY, count: pairs },
    };
    callBinding<ReadBatch>(this.#signal, { operation: "read", pool }, (done) =>
      native.read(number, names, asked, done),
    ).then(
      (batch) => {
        this.#objectsInFlight -= names.count;
        this.#groupsInFlight--;
        this.#countAttributes(request, batch);
        this.#answers.push({ request, slab, batch });
        this.#changed.wakeAll();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  /** Replaces the estimate of the attributes' memory. */
  #countAttributes(request: GroupRequest, { attributes }: ReadBatch): void {
    let sum = 0;
    for (let i = 0; i < request.names.count; i++) {
      const bytes = memoryOfAttributes(attributes[i]);
      sum += bytes;
      // Not of an object that is read again for its omap: others are read with fewer pairs.
      if (!request.isForOmap) this.#sizes.addAttributes(bytes);
    }
    this.#attributes += sum - request.attributes;
    request.attributes = sum;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed.wakeAll();
  }
}

const FIRST_KEY = new Uint8Array();
