/**
 * A free list of shared memory in a few sizes. V8's collector does not count shared memory, so unused buffers would
 * pile up.
 */
export class SharedMemory {
  readonly #free = new Map<number, SharedArrayBuffer[]>();

  /** The memory may hold old data. */
  take(bytes: number): SharedArrayBuffer {
    return this.#free.get(bytes)?.pop() ?? new SharedArrayBuffer(bytes);
  }

  give(memory: SharedArrayBuffer): void {
    const free = this.#free.get(memory.byteLength);
    if (free === undefined) this.#free.set(memory.byteLength, [memory]);
    else free.push(memory);
  }
}
