import { RefCounted } from "../../flow/ref-counted.js";

/** Digests of parts that are sent to several stores, by the view that all stores receive. */
const shared = new WeakMap<Uint8Array, Promise<string> | undefined>();

/** The digest of the bytes. That of a {@link Part} is computed once. */
export function digestOnce(
  bytes: Uint8Array,
  digest: (bytes: Uint8Array) => Promise<string>,
): Promise<string> {
  if (!shared.has(bytes)) return digest(bytes);
  let found = shared.get(bytes);
  if (found === undefined) {
    found = digest(bytes);
    shared.set(bytes, found);
  }
  return found;
}

/** Bytes of one part, which are not reused before every holder has released it. */
export class Part extends RefCounted {
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, recycle: () => void) {
    super(recycle);
    this.bytes = bytes;
    shared.set(bytes, undefined);
  }
}

/** Buffers of parts, reused across files. */
export class PartMemory {
  readonly #free: Buffer[] = [];

  take(bytes: number): Buffer {
    const found = this.#free.pop();
    return found?.length === bytes ? found : Buffer.allocUnsafeSlow(bytes);
  }

  give(buffer: Buffer): void {
    this.#free.push(buffer);
  }
}

/** Splits a stream into parts of equal size. */
export class PartSplitter {
  readonly #partBytes: number;
  readonly #memory: PartMemory;
  #buffer: Buffer | undefined;
  #filled = 0;

  constructor(partBytes: number, memory = new PartMemory()) {
    this.#partBytes = partBytes;
    this.#memory = memory;
  }

  /** Copies the bytes. Yields a full part only once more bytes follow, so that `last` always has the end. */
  *write(bytes: Uint8Array): Generator<Part, void, void> {
    for (let at = 0; at < bytes.length; ) {
      if (this.#filled === this.#partBytes) yield this.last();
      this.#buffer ??= this.#memory.take(this.#partBytes);
      const piece = bytes.subarray(at, at + this.#partBytes - this.#filled);
      this.#buffer.set(piece, this.#filled);
      this.#filled += piece.length;
      at += piece.length;
    }
  }

  /** The last part; may be empty. */
  last(): Part {
    const buffer = this.#buffer;
    const bytes = buffer?.subarray(0, this.#filled) ?? new Uint8Array(0);
    this.#buffer = undefined;
    this.#filled = 0;
    return new Part(bytes, () => {
      if (buffer !== undefined) this.#memory.give(buffer);
    });
  }
}
