import { throwIfAborted } from "../../../errors.js";
import { orderedWindow } from "../../../flow/ordered-window.js";
import { EtcdFileError } from "./errors.js";
import { BranchPage, LeafPage } from "./page.js";
import type { PageFile } from "./page-file.js";

/** Where the tree of a bucket begins: a page, or the bytes of a small bucket. */
export type TreeRoot = number | Buffer;

/** bbolt's trees of as many pages as a file can have are not nearly so deep. */
const MAX_DEPTH = 32;
/** Leaves that are so close are read at once. */
const MAX_GAP_BYTES = 64 << 10;
const MAX_RUN_BYTES = 1 << 20;
const RUNS_IN_FLIGHT = 4;

/** Leaves whose pages are close to each other in the file. */
interface Run {
  /** In ascending order. */
  readonly ids: readonly number[];
}

/** A walk through a tree comes to each page once: with that, a small file cannot be read for ever. */
class UnreadPages {
  readonly #file: PageFile;
  #left: number;

  constructor(file: PageFile) {
    this.#file = file;
    this.#left = file.pageCount;
  }

  take(id: number, pages: number): void {
    this.#left -= pages;
    if (this.#left < 0) throw this.#file.damaged(id, "is more than once in a tree");
  }
}

/** The pages from the root to a leaf. */
export interface TreePath {
  /** From the root down; empty where the root is a leaf. */
  readonly branches: readonly { readonly page: BranchPage; readonly index: number }[];
  /** Absent for a small bucket. */
  readonly leafId: number | undefined;
  readonly leaf: LeafPage;
}

/**
 * All leaves in the order of their keys, some at a time.
 *
 * @param from leaves that hold nothing but lower keys are left out
 */
export async function* treeLeaves(
  file: PageFile,
  root: TreeRoot,
  signal: AbortSignal,
  from?: Uint8Array,
): AsyncGenerator<LeafPage[], void, void> {
  if (typeof root !== "number") {
    yield [file.parseInline(root)];
    return;
  }
  const isAlone = (await file.readNode(root)) instanceof LeafPage;
  const unread = new UnreadPages(file);
  const runs = runsOf(file, leafIds(file, root, from, unread));
  yield* orderedWindow(runs, RUNS_IN_FLIGHT, async ({ ids }) => {
    throwIfAborted(signal);
    return readRun(file, ids, isAlone, unread);
  });
}

/** The numbers of all leaves in the order of their keys: those of one branch at a time. */
export async function* leafIds(
  file: PageFile,
  root: number,
  from?: Uint8Array,
  unread = new UnreadPages(file),
): AsyncGenerator<number[], void, void> {
  const depth = await depthOf(file, root);
  if (depth === 0) yield [root];
  else yield* idsBelow(file, root, depth, from, unread);
}

async function* idsBelow(
  file: PageFile,
  id: number,
  depth: number,
  from: Uint8Array | undefined,
  unread: UnreadPages,
): AsyncGenerator<number[], void, void> {
  const branch = await file.readBranch(id);
  unread.take(id, branch.bytes.length / file.pageSize);
  const first = from === undefined ? 0 : branch.indexOf(from);
  if (depth === 1) {
    const ids: number[] = [];
    for (let i = first; i < branch.count; i++) ids.push(branch.child(i));
    yield ids;
    return;
  }
  for (let i = first; i < branch.count; i++) {
    yield* idsBelow(file, branch.child(i), depth - 1, i === first ? from : undefined, unread);
  }
}

/** The number of branches above each leaf. */
export async function depthOf(file: PageFile, root: number): Promise<number> {
  let id = root;
  for (let depth = 0; depth <= MAX_DEPTH; depth++) {
    const node = await file.readNode(id);
    if (node instanceof LeafPage) return depth;
    id = node.child(0);
  }
  throw file.damaged(root, `is the root of a tree of more than ${MAX_DEPTH} levels`);
}

async function* runsOf(
  file: PageFile,
  branches: AsyncIterable<number[]>,
): AsyncGenerator<Run, void, void> {
  for await (const all of branches) {
    let ids: number[] = [];
    let last = 0;
    for (const id of all) {
      file.checkId(id);
      const [first = id] = ids;
      const isNear = id > last && (id - last) * file.pageSize <= MAX_GAP_BYTES;
      if (ids.length > 0 && !(isNear && (id + 1 - first) * file.pageSize <= MAX_RUN_BYTES)) {
        yield { ids };
        ids = [];
      }
      ids.push(id);
      last = id;
    }
    if (ids.length > 0) yield { ids };
  }
}

async function readRun(
  file: PageFile,
  ids: readonly number[],
  mayBeEmpty: boolean,
  unread: UnreadPages,
): Promise<LeafPage[]> {
  const first = ids[0] ?? 0;
  const end = (ids.at(-1) ?? 0) + 1;
  const run = await file.readPages(first, end - first);
  const leaves: LeafPage[] = [];
  let free = first;
  for (const id of ids) {
    const start = (id - first) * file.pageSize;
    const pages = file.pagesOf(id, run.subarray(start, start + file.pageSize));
    if (id < free) throw file.damaged(id, "is part of another page");
    free = id + pages;
    unread.take(id, pages);
    const leaf =
      free <= end
        ? file.parse(id, run.subarray(start, start + pages * file.pageSize))
        : await file.readLeaf(id);
    if (leaf instanceof BranchPage) throw file.damaged(id, "is not a leaf");
    if (leaf.count === 0 && !mayBeEmpty) throw file.damaged(id, "is empty");
    leaves.push(leaf);
  }
  return leaves;
}

/** The path to the leaf that holds `key`, or would hold it; without a key, that to the last leaf. */
export async function pathTo(
  file: PageFile,
  root: TreeRoot,
  key: Uint8Array | undefined,
): Promise<TreePath> {
  const branches: { page: BranchPage; index: number }[] = [];
  if (typeof root !== "number") {
    return { branches, leafId: undefined, leaf: file.parseInline(root) };
  }
  let id = root;
  while (branches.length <= MAX_DEPTH) {
    const node = await file.readNode(id);
    if (node instanceof LeafPage) return { branches, leafId: id, leaf: node };
    const index = key === undefined ? node.count - 1 : node.indexOf(key);
    branches.push({ page: node, index });
    id = node.child(index);
  }
  throw file.damaged(root, `is the root of a tree of more than ${MAX_DEPTH} levels`);
}

/** The value of a key, or undefined. */
export async function lookUp(
  file: PageFile,
  root: TreeRoot,
  key: Uint8Array,
): Promise<Buffer | undefined> {
  const { leaf } = await pathTo(file, root, key);
  for (let i = 0; i < leaf.count; i++) {
    if (Buffer.compare(leaf.key(i), key) === 0) return leaf.value(i);
  }
  return undefined;
}

/** Keys that do not ascend. */
export function unordered(where: string): EtcdFileError {
  return new EtcdFileError("ETCD_FILE_DAMAGED", where, "its keys are not in order");
}
