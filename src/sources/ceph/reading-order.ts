import type { NameBatch } from "./types.js";

/** Names to sort at once. With the next window they take about 50 MB. */
const WINDOW_NAMES = 131_072;
const WINDOW_BYTES = 8 << 20;
const BATCH_NAMES = 1024;

/**
 * Sorts names by their bytes, a window at a time; the next window is filled meanwhile. A pool lists by hash, which scatters
 * objects that were written together; they mostly have similar names. Reading 50,000 objects of 1 KiB took half the time
 * in this order (docs/performance.md).
 */
export async function* inReadingOrder(
  batches: AsyncIterable<NameBatch> | Iterable<NameBatch>,
): AsyncGenerator<NameBatch> {
  const windows = windowsOf(batches);
  let next = windows.next();
  try {
    for (;;) {
      const window = await next;
      if (window.done) return;
      next = windows.next();
      // Awaited in the next round, unless the consumer stops.
      next.catch(() => {});
      yield* sorted(window.value);
    }
  } finally {
    await windows.return();
  }
}

async function* windowsOf(
  batches: AsyncIterable<NameBatch> | Iterable<NameBatch>,
): AsyncGenerator<NameBatch[], void, void> {
  let window: NameBatch[] = [];
  let names = 0;
  let bytes = 0;
  for await (const batch of batches) {
    window.push(batch);
    names += batch.count;
    bytes += batch.bytes.length;
    if (names < WINDOW_NAMES && bytes < WINDOW_BYTES) continue;
    yield window;
    window = [];
    names = 0;
    bytes = 0;
  }
  if (window.length > 0) yield window;
}

/** One name of a window: its bytes as text, which compares fast, and its place. */
interface Named {
  readonly text: string;
  readonly batch: NameBatch;
  readonly index: number;
}

function* sorted(window: readonly NameBatch[]): Generator<NameBatch> {
  const names: Named[] = [];
  for (const batch of window) {
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length);
    for (let index = 0; index < batch.count; index++) {
      const text = bytes.toString("latin1", batch.offsets[3 * index], batch.offsets[3 * index + 3]);
      names.push({ text, batch, index });
    }
  }
  names.sort((a, b) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0));
  for (let at = 0; at < names.length; at += BATCH_NAMES) {
    yield pack(names.slice(at, at + BATCH_NAMES));
  }
}

function pack(names: readonly Named[]): NameBatch {
  const bytes = Buffer.allocUnsafe(names.reduce((sum, { text }) => sum + text.length, 0));
  const offsets = new Uint32Array(3 * names.length + 1);
  let at = 0;
  let part = 0;
  for (const { text, batch, index } of names) {
    const first = batch.offsets[3 * index] ?? 0;
    for (let i = 1; i <= 3; i++) {
      offsets[++part] = at + (batch.offsets[3 * index + i] ?? 0) - first;
    }
    at += bytes.write(text, at, "latin1");
  }
  return { count: names.length, bytes, offsets };
}
