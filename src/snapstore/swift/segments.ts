import { isAbortable } from "../key.js";
import type { StaleOptions } from "../store.js";
import { uploadStarted } from "../parts/upload-id.js";
import type { SwiftContainer } from "./container.js";
import { PAGE, pageOf } from "./listing.js";
import { SEGMENTS, segmentPrefix } from "./segment-names.js";

/** Concurrent deletions. */
const WINDOW = 8;

/** Removes the segments below the prefix of an upload. */
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
        const response = await container.call({ method: "DELETE", name, signal, expected: [404] });
        await response.drop();
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, worker));
  }
}

/**
 * Removes the segments of uploads below `prefix` from before `olderThan` that no object consists of. Returns the number
 * of uploads.
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
      const started = uploadStarted(upload);
      if (started === undefined || started >= olderThan) continue;
      const key = container.keyOf(of);
      if (!isAbortable(key, options)) continue;
      const object = await container.head(key, signal);
      if (object?.segments === upload) continue;
      await removeSegments(container, segments, signal);
      removed++;
    }
    // The rest of an upload that continues on the next page is removed by then.
    marker = page.next;
  }
  return removed;
}
