import { throwIfAborted } from "../../errors.js";
import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { keyAfter, keyBeyond, ZERO_KEY } from "./key-order.js";
import { type RangeSummary, scanRangeResponse } from "./range-response.js";
import { RANGE } from "./rpc.js";

/** Bytes that a page should have. */
const PAGE_BYTES = 4 << 20;
/** Values may be 1.5 MiB each, so the first page asks for few. */
const FIRST_KEYS = 16;
const MAX_KEYS = 50_000;

interface Page {
  readonly answer: Buffer;
  readonly summary: RangeSummary;
}

/**
 * All keys at one revision, as encoded range responses. The next page is in flight while one is used, and the
 * size of the keys decides how many a page has, which bounds the memory of both sides.
 *
 * etcd 3.4 walks all keys of a range whatever the limit, so asking for "the rest" page by page costs it
 * the square of the keys. Therefore each range ends at a guess of where a page will be full.
 */
export async function* readPages(
  connection: EtcdConnection,
  { revision, signal }: { readonly revision: number; readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  let limit = FIRST_KEYS;
  const ask = async (key: Uint8Array, rangeEnd: Uint8Array): Promise<Page> => {
    for (;;) {
      const request = RANGE.encode({ key, range_end: rangeEnd, limit, revision });
      try {
        const options = { signal, anySize: limit === 1 };
        const answer = await connection.callRaw(RANGE.name, request, options);
        return { answer, summary: scanRangeResponse(answer) };
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== "ETCD_TOO_LARGE" || limit === 1) {
          throw error;
        }
        limit = Math.max(1, limit >> 3);
      }
    }
  };
  const guess = new EndGuess();
  let end: Uint8Array = ZERO_KEY;
  let page: Promise<Page> | undefined = ask(ZERO_KEY, end);
  while (page !== undefined) {
    const current: Page = await page;
    throwIfAborted(signal);
    const { answer, summary } = current;
    const { keys, more, lastKey }: RangeSummary = summary;
    if (keys > 0) {
      const fitting = Math.floor((PAGE_BYTES * keys) / answer.length);
      limit = Math.max(1, Math.min(MAX_KEYS, 8 * limit, fitting));
    }
    const next: Uint8Array = more && lastKey !== undefined ? keyAfter(lastKey) : end;
    if (!more && end === ZERO_KEY) {
      page = undefined;
    } else {
      end = guess.endAfter(summary, limit, end, next);
      page = ask(next, end);
      // The next round awaits it, unless the consumer stops.
      page.catch(() => {});
    }
    yield answer;
  }
}

/** Guesses from one page where the range of the next should end, to hold somewhat more keys than fit a page. */
class EndGuess {
  /** Grows while ranges are too short, shrinks while they are too long. */
  #correction = 2;

  endAfter(
    { keys, count, firstKey, lastKey }: RangeSummary,
    limit: number,
    end: Uint8Array,
    next: Uint8Array,
  ): Uint8Array {
    if (firstKey === undefined || lastKey === undefined) return ZERO_KEY;
    if (end !== ZERO_KEY) {
      if (count < limit) this.#correction = Math.min(64, 2 * this.#correction);
      else if (count > 4 * limit) this.#correction = Math.max(1 / 64, this.#correction / 2);
    }
    const beyond = keyBeyond(firstKey, lastKey, (this.#correction * limit) / keys);
    // After a gap the guess can be before the next key to read, and is of no use.
    return beyond !== undefined && Buffer.compare(beyond, next) > 0 ? beyond : ZERO_KEY;
  }
}
