import type { EtcdDatabase } from "../database.js";
import { decodeRevisionKey, encodeRevisionKey } from "../revision-key.js";
import { pathTo } from "../tree.js";
import type { PageAppender } from "./page-appender.js";
import { TreeBuilder } from "./tree-builder.js";

/**
 * Begins the tree of changes up to a revision on the pages of a database that is copied. Changes are in the order of
 * their revisions, so the tree differs at its right edge alone: one page of each level is written anew.
 */
export async function continueTree(
  base: EtcdDatabase,
  revision: number,
  appender: PageAppender,
): Promise<TreeBuilder> {
  const cut = encodeRevisionKey({ main: revision + 1, sub: 0 });
  const { branches, leaf } = await pathTo(base.pages, base.requiredBucket("key").root, cut);
  const builder = new TreeBuilder(appender, base.pages);
  for (const [depth, { page, index }] of branches.entries()) {
    const level = branches.length - 1 - depth;
    for (let i = 0; i < index; i++) builder.addPage(level, page.key(i), page.child(i));
  }
  for (let i = 0; i < leaf.count; i++) {
    const { main } = decodeRevisionKey(leaf.bytes, leaf.keyStart(i), leaf.keyLength(i));
    if (Number.isNaN(main)) throw base.damaged("a key of a change is no revision");
    if (main <= revision) builder.add(leaf.key(i), leaf.value(i));
  }
  return builder;
}

/** Writes the changes up to a revision anew, and begins the tree on them. */
export async function copyTree(
  base: EtcdDatabase,
  revision: number,
  appender: PageAppender,
  signal: AbortSignal,
): Promise<TreeBuilder> {
  const builder = new TreeBuilder(appender);
  for await (const leaves of base.changeLeaves(signal)) {
    for (const leaf of leaves) {
      const at = leaf.count - 1;
      if (at < 0) continue;
      const last = decodeRevisionKey(leaf.bytes, leaf.keyStart(at), leaf.keyLength(at));
      if (last.main <= revision) {
        builder.addLeaf(leaf);
        continue;
      }
      for (let i = 0; i < leaf.count; i++) {
        const { main } = decodeRevisionKey(leaf.bytes, leaf.keyStart(i), leaf.keyLength(i));
        if (main > revision) return builder;
        builder.add(leaf.key(i), leaf.value(i));
      }
    }
    await appender.ready();
  }
  return builder;
}
