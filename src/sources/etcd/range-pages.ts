import { throwIfAborted } from "../../errors.js";
import type { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { encodeRangeRequest, keyAfter, ZERO_KEY } from "./range-request.js";
import { type RangeSummary, scanRangeResponse } from "./range-response.js";

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
 * The whole key space at one revision, as raw range responses. The next page is under way while one is
 * used, and the number of keys in a page follows their size, so that memory is bounded here and there.
 */
export async function* readPages(
  connection: EtcdConnection,
  { revision, signal }: { readonly revision: number; readonly signal: AbortSignal },
): AsyncGenerator<Buffer> {
  let limit = FIRST_KEYS;
  const ask = async (key: Uint8Array): Promise<Page> => {
    for (;;) {
      const request = encodeRangeRequest({ key, rangeEnd: ZERO_KEY, limit, revision });
      try {
        const options = { signal, anySize: limit === 1 };
        const answer = await connection.call("KV/Range", request, options);
        return { answer, summary: scanRangeResponse(answer) };
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== "ETCD_TOO_LARGE" || limit === 1) {
          throw error;
        }
        limit = Math.max(1, limit >> 3);
      }
    }
  };
  let page: Promise<Page> | undefined = ask(ZERO_KEY);
  while (page !== undefined) {
    const current: Page = await page;
    const { answer, summary } = current;
    throwIfAborted(signal);
    const { keys, more, lastKey }: RangeSummary = summary;
    if (keys > 0) {
      const fitting = Math.floor((PAGE_BYTES * keys) / answer.length);
      limit = Math.max(1, Math.min(MAX_KEYS, 8 * limit, fitting));
    }
    page = more && lastKey !== undefined ? ask(keyAfter(lastKey)) : undefined;
    // Awaited in the next round, unless the consumer stops.
    page?.catch(() => {});
    yield answer;
  }
}
