/** Deterministic CBOR, from docs/format.md and RFC 8949 alone. */
export type Cbor = bigint | string | Buffer | null | Cbor[] | Map<string, Cbor>;

/** Reads items one by one; throws Error for any other form than the deterministic one. */
export class Items {
  #at = 0;

  constructor(readonly bytes: Buffer) {}

  get ended(): boolean {
    return this.#at === this.bytes.length;
  }

  next(): Cbor {
    const first = this.#take(1)[0] as number;
    const major = first >> 5;
    if (first === 0xf6) return null;
    const length = this.#argument(first & 31);
    switch (major) {
      case 0:
        return length;
      case 1:
        return -1n - length;
      case 2:
        return this.#take(Number(length));
      case 3:
        return new TextDecoder("utf-8", { fatal: true }).decode(this.#take(Number(length)));
      case 4: {
        const items: Cbor[] = [];
        for (let left = length; left > 0n; left--) items.push(this.next());
        return items;
      }
      case 5: {
        const map = new Map<string, Cbor>();
        for (let left = length; left > 0n; left--) {
          const key = this.next();
          if (typeof key !== "string" || map.has(key)) throw new Error("a key twice, or no text");
          map.set(key, this.next());
        }
        return map;
      }
      default:
        throw new Error("a kind of item that the format does not have");
    }
  }

  #argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    if (info > 27) throw new Error("an indefinite length");
    const width = 1 << (info - 24);
    const value = BigInt(`0x${this.#take(width).toString("hex")}`);
    const least = width === 1 ? 24n : 1n << BigInt(4 * width);
    if (value < least) throw new Error("not the shortest form");
    return value;
  }

  #take(length: number): Buffer {
    const end = this.#at + length;
    if (end > this.bytes.length) throw new Error("ends within an item");
    const taken = this.bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }
}

export function sequence(bytes: Buffer): Cbor[] {
  const items = new Items(bytes);
  const all: Cbor[] = [];
  while (!items.ended) all.push(items.next());
  return all;
}

/** The fields of an array by a letter each: b bytes, t text, i int, u uint, U uint64. */
export function fields(item: Cbor | undefined, kinds: string): Cbor[] {
  if (!Array.isArray(item) || item.length !== kinds.length) throw new Error("another shape");
  item.forEach((field, i) => {
    if (!isOf(field, kinds[i] ?? "")) throw new Error(`field ${i} is of another kind`);
  });
  return item;
}

function isOf(field: Cbor, kind: string): boolean {
  if (kind === "b") return Buffer.isBuffer(field);
  if (kind === "t") return typeof field === "string";
  if (kind === "a") return Array.isArray(field);
  if (typeof field !== "bigint") return false;
  if (kind === "i") return field >= -(2n ** 63n) && field < 2n ** 63n;
  return field >= 0n && field < (kind === "U" ? 2n ** 64n : 2n ** 53n);
}
