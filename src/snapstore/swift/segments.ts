import { isAbortable } from "../key.js";
import type { StaleOptions } from "../store.js";
import { uploadBegun } from "../parts/upload-id.js";
import type { SwiftContainer } from "./container.js";
import { PAGE, pageOf } from "./listing.js";
import { SEGMENTS, segmentPrefix } from "./segment-names.js";

/** Deletions on their way at the same time. */
const WIDTH = 8;

/** Removes everything below one upload's prefix. */
export async function removeSegments(
  container: SwiftContainer,
  prefix: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    const { entries } = await pageOf(container, prefix, { marker: "", limit: PAGE, signal });
    if (entries.length === 0) return;
    const names = entries.map(({ name }) => name);
    const worker = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) {
        const answer = await container.call({ method: "DELETE", name, signal, expected: [404] });
        await answer.drop();
      }
    };
    await Promise.all(Array.from({ length: WIDTH }, worker));
  }
}

/**
 * Removes the segments of uploads of keys below `prefix` that were begun before `olderThan` and
 * that no object is made of. Returns the number of uploads.
 */
export async function removeStaleSegments(
  container: SwiftContainer,
  prefix: string,
  olderThan: Date,
  options: StaleOptions,
): Promise<number> {
  const { signal } = options;
  const all = SEGMENTS + container.nameOf(prefix);
  let removed = 0;
  for (let marker: string | undefined = ""; marker !== undefined; ) {
    const page = await pageOf(container, all, { marker, limit: PAGE, signal });
    let seen = "";
    for (const { name } of page.entries) {
      const [, of = "", upload = ""] =
        /^(.*)\/([^/]+)\/\d+$/.exec(name.slice(SEGMENTS.length)) ?? [];
      const segments = segmentPrefix(of, upload);
      if (segments === seen) continue;
      seen = segments;
      const begun = uploadBegun(upload);
      if (begun === undefined || begun >= olderThan) continue;
      const key = container.keyOf(of);
      if (!isAbortable(key, options)) continue;
      const object = await container.head(key, signal);
      if (object?.segments === upload) continue;
      await removeSegments(container, segments, signal);
      removed++;
    }
    // What is left of an upload on the next page is gone by then.
    marker = page.next;
  }
  return removed;
}
