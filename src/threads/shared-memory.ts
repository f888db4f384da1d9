/**
 * Shared memory in pieces of a few sizes, used again and again: V8's collector does not count it, so what each file
 * or object left behind would pile up.
 */
export class SharedMemory {
  readonly #free = new Map<number, SharedArrayBuffer[]>();

  /** What is in it is whatever was there. */
  take(bytes: number): SharedArrayBuffer {
    return this.#free.get(bytes)?.pop() ?? new SharedArrayBuffer(bytes);
  }

  give(memory: SharedArrayBuffer): void {
    const free = this.#free.get(memory.byteLength);
    if (free === undefined) this.#free.set(memory.byteLength, [memory]);
    else free.push(memory);
  }
}
