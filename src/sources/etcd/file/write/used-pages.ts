import type { EtcdDatabase } from "../database.js";
import { encodeRevisionKey } from "../revision-key.js";
import { leafIds, pathTo } from "../tree.js";

/** Leaves whose size is looked at. */
const SAMPLES = 512;

/**
 * About what part of a database's pages holds its changes up to a revision, from 0 to 1. The rest is free, or holds
 * later changes.
 */
export async function usedPart(base: EtcdDatabase, revision: number): Promise<number> {
  const { pages } = base;
  const { root } = base.requiredBucket("key");
  if (typeof root !== "number") return 1;
  const { leafId } = await pathTo(pages, root, encodeRevisionKey({ main: revision + 1, sub: 0 }));
  let leaves = 0;
  let every = 1;
  let samples: number[] = [];
  for await (const ids of leafIds(pages, root)) {
    for (const id of ids) {
      if (leaves++ % every === 0) samples.push(id);
      if (samples.length > SAMPLES) {
        samples = samples.filter((_, i) => i % 2 === 0);
        every *= 2;
      }
    }
    if (leafId !== undefined && ids.includes(leafId)) break;
  }
  let sampled = 0;
  for (const id of samples) {
    pages.checkId(id);
    sampled += pages.pagesOf(id, await pages.readPages(id, 1));
  }
  return Math.min(1, (leaves * (sampled / samples.length)) / pages.pageCount);
}
