import { InterruptedError, throwIfAborted } from "../../errors.js";
import { answered } from "./answered.js";
import { CephError, ENOENT } from "./errors.js";
import { READ_ALL, type ReadResult } from "./librados.js";
import { nameAt, sliceNames } from "./name-batch.js";
import { FIRST_PAIRS, OMAP_PAGE, pairsOfPage } from "./object-parts.js";
import { memoryOfFlat, pairsOf } from "./pairs.js";
import type { PoolHandle } from "./pool-handle.js";
import { SLAB_BYTES, type Slab, SlabPool } from "./slab-pool.js";
import type { NameBatch, ObjectName, ReadFailure, ReadGroup, ReadObject } from "./types.js";

export interface ReadOptions {
  /**
   * What the data of objects that were read and not yet released may take, about. Attributes of objects that are on
   * their way, or not yet handed out, may take half as much.
   */
  readonly memoryBytes: number;
  readonly signal: AbortSignal;
}

const MIN_LENGTH = 4 << 10;
const FIRST_LENGTH = 64 << 10;
const MAX_LENGTH = SLAB_BYTES;
/** Objects in one group: one call into the binding and one back. */
const GROUP_OBJECTS = 64;
/** Objects whose reads may be on the way; more only queue up at the OSDs. */
const IN_FLIGHT_OBJECTS = 512;
/** Parts that what attributes may take is for: so many groups are on the way where they are large. */
const GROUPS = 8;
/** Groups on the way until the first answer tells how large objects are here. */
const FIRST_GROUPS = 2;

/** What the attributes of one object take counts for the next ones too, this much less with each. */
const FORGOTTEN = 1 / 64;

interface Request {
  readonly names: NameBatch;
  /** Bytes of data and pairs of omap that are asked for, of each object. */
  readonly length: number;
  readonly pairs: number;
  /** What the attributes of all of them take, as far as it is known. */
  attributes: number;
  /** Whether an object is asked for again because of its omap. */
  readonly again: boolean;
}

interface Answer {
  readonly request: Request;
  readonly slab: Slab;
  readonly results: readonly ReadResult[];
}

/**
 * Reads many objects with a window of operations. One operation asks for everything that an object
 * has and for as many bytes as objects of this pool are likely to hold; what proves longer is asked
 * for again, whole, up to one slab. Only larger objects come out with a part of their data. Likewise with
 * the pairs of an omap, up to a page; and the more attributes take here, the fewer objects are on the way.
 */
export class ObjectReads {
  readonly #pool: PoolHandle;
  readonly #signal: AbortSignal;
  readonly #slabs: SlabPool;
  readonly #attributesLimit: number;
  readonly #again: Request[] = [];
  readonly #answers: Answer[] = [];
  #inFlight = 0;
  #groups = 0;
  #length = FIRST_LENGTH;
  /** Running mean of the sizes of objects, bytes. */
  #mean: number | undefined;
  #pairs = FIRST_PAIRS;
  /** Running mean of the omap pairs of objects. */
  #meanPairs: number | undefined;
  /** What the attributes of an object take, of the largest of the last ones, bytes. */
  #attributes = 0;
  /** What the attributes of all objects on the way and not yet consumed take. */
  #attributesOut = 0;
  #failure: { error: unknown } | undefined;
  #wake: (() => void) | undefined;

  constructor(pool: PoolHandle, { memoryBytes, signal }: ReadOptions) {
    this.#pool = pool;
    this.#signal = signal;
    this.#slabs = new SlabPool(Math.max(2, Math.floor(memoryBytes / SLAB_BYTES)), () =>
      this.#changed(),
    );
    this.#attributesLimit = memoryBytes / 2;
  }

  async *run(batches: AsyncIterable<NameBatch> | Iterable<NameBatch>): AsyncGenerator<ReadGroup> {
    const names = asyncIterator(batches);
    const abort = (): void => this.#fail(new InterruptedError());
    this.#signal.addEventListener("abort", abort, { once: true });
    let batch: NameBatch | undefined;
    let at = 0;
    let ended = false;
    let fetching = false;
    try {
      throwIfAborted(this.#signal);
      for (;;) {
        if (this.#failure !== undefined) throw this.#failure.error;
        while (this.#mayStart()) {
          const again = this.#again.shift();
          if (again !== undefined) {
            this.#start(again);
            continue;
          }
          if (batch === undefined) {
            if (ended || fetching) break;
            fetching = true;
            names.next().then(
              (next) => {
                fetching = false;
                if (next.done) ended = true;
                else batch = next.value;
                at = 0;
                this.#changed();
              },
              (error: unknown) => this.#fail(error),
            );
            break;
          }
          const count = Math.min(
            batch.count - at,
            GROUP_OBJECTS,
            Math.max(1, Math.floor(SLAB_BYTES / this.#length)),
            Math.max(1, Math.floor(this.#attributesLimit / GROUPS / this.#attributes)),
          );
          this.#start({
            names: sliceNames(batch, at, at + count),
            length: this.#length,
            pairs: this.#pairs,
            attributes: count * this.#attributes,
            again: false,
          });
          at += count;
          if (at === batch.count) batch = undefined;
        }
        const answer = this.#answers.shift();
        if (answer !== undefined) {
          const group = this.#group(answer);
          yield group;
          this.#attributesOut -= answer.request.attributes;
          continue;
        }
        const idle = this.#groups === 0 && this.#again.length === 0;
        if (idle && ended && batch === undefined) return;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#signal.removeEventListener("abort", abort);
      await names.return?.();
    }
  }

  #mayStart(): boolean {
    if (this.#inFlight >= IN_FLIGHT_OBJECTS) return false;
    if (this.#mean === undefined && this.#groups >= FIRST_GROUPS) return false;
    // With nothing on the way and nothing to hand out, whoever holds the slabs waits for more from here.
    if (this.#groups === 0 && this.#answers.length === 0) return true;
    return this.#slabs.free && this.#attributesOut < this.#attributesLimit;
  }

  #start(request: Request): void {
    const { names, length, pairs } = request;
    const slab = this.#slabs.take();
    this.#attributesOut += request.attributes;
    this.#inFlight += names.count;
    this.#groups++;
    const slots = Float64Array.from({ length: names.count }, (_, i) => i * length);
    const { native, number } = this.#pool;
    const asked = new Float64Array([READ_ALL, 0, length, pairs]);
    answered<[readonly ReadResult[]]>(this.#signal, (done) =>
      native.read(number, names.bytes, names.offsets, asked, slab.bytes, slots, undefined, done),
    ).then(
      ({ code, results }) => {
        this.#inFlight -= names.count;
        this.#groups--;
        if (code < 0) {
          this.#fail(CephError.of(code, { operation: "read", pool: this.#pool.name }));
          return;
        }
        this.#weigh(request, results[0]);
        this.#answers.push({ request, slab, results: results[0] });
        this.#changed();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #group({ request, slab, results }: Answer): ReadGroup {
    const { names, length: asked, pairs } = request;
    const objects: ReadObject[] = [];
    const vanished: ObjectName[] = [];
    const failures: ReadFailure[] = [];
    for (const [i, result] of results.entries()) {
      const [code, size, mtime, version, length, xattrs, omapHeader, omap, omapMore] = result;
      const name = nameAt(names, i);
      if (code === ENOENT) {
        vanished.push(name);
        continue;
      }
      if (code < 0) {
        failures.push(failureOf(this.#pool.name, name, code));
        continue;
      }
      this.#learn(size);
      const short = length < size && asked < MAX_LENGTH;
      const found = omap === null ? 0 : omap.length / 2;
      const bytes = omapMore ? memoryOfFlat(omap) : 0;
      const page = omapMore && !request.again && found >= pairs ? pairsOfPage(found, bytes) : 0;
      if (short || page > pairs) {
        this.#again.push({
          names: sliceNames(names, i, i + 1),
          length: short ? Math.min(MAX_LENGTH, powerOfTwo(size)) : asked,
          pairs: Math.max(page, pairs),
          attributes: page > pairs ? (bytes / found) * page : memoryOfResult(result),
          again: request.again || page > pairs,
        });
        continue;
      }
      this.#learnPairs(found);
      slab.hold();
      objects.push({
        ...name,
        size,
        mtime,
        version,
        xattrs: pairsOf(xattrs),
        omapHeader: omapHeader ?? NO_BYTES,
        omap: pairsOf(omap),
        omapMore,
        data: { memory: slab.memory, offset: i * asked, length: Math.min(length, size) },
        release: () => slab.release(),
      });
    }
    slab.release();
    return { objects, vanished, failures };
  }

  /** Twice the mean size serves most objects in one read, and asks for little that is not there. */
  #learn(size: number): void {
    this.#mean = this.#mean === undefined ? size : this.#mean + (size - this.#mean) / 64;
    const wanted = powerOfTwo(2 * this.#mean);
    this.#length = Math.min(MAX_LENGTH, Math.max(MIN_LENGTH, wanted));
  }

  /** Likewise with pairs. Objects that are asked for more of them may take as much more, and the other way round. */
  #learnPairs(count: number): void {
    this.#meanPairs =
      this.#meanPairs === undefined ? count : this.#meanPairs + (count - this.#meanPairs) / 64;
    const wanted = Math.min(OMAP_PAGE, Math.max(FIRST_PAIRS, powerOfTwo(2 * this.#meanPairs)));
    this.#attributes *= wanted / this.#pairs;
    this.#pairs = wanted;
  }

  /** Counts attributes as what they take, now that they are here. */
  #weigh(request: Request, results: readonly ReadResult[]): void {
    let sum = 0;
    for (const result of results) {
      const bytes = memoryOfResult(result);
      sum += bytes;
      // What one object is asked for again says little of the others, which are asked for less.
      if (request.again) continue;
      this.#attributes = Math.max(bytes, this.#attributes * (1 - FORGOTTEN));
    }
    this.#attributesOut += sum - request.attributes;
    request.attributes = sum;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed();
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}

const NO_BYTES = Buffer.alloc(0);

function memoryOfResult([code, , , , , xattrs, omapHeader, omap]: ReadResult): number {
  if (code < 0) return 0;
  return memoryOfFlat(xattrs) + memoryOfFlat(omap) + (omapHeader?.length ?? 0);
}

function failureOf(pool: string, name: ObjectName, code: number): ReadFailure {
  const error = CephError.of(code, { operation: "read", pool, object: name.name });
  const { message, errnoName = "" } = error;
  return { ...name, errno: -code, errnoName, message };
}

/** The next power of two, not under `value`. */
function powerOfTwo(value: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, value)));
}

function asyncIterator<T>(items: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> {
  if (Symbol.asyncIterator in items) return items[Symbol.asyncIterator]();
  const iterator = items[Symbol.iterator]();
  return { next: () => Promise.resolve(iterator.next()) };
}
