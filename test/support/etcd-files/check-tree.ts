/**
 * Reads a database as bbolt's page.go describes it, and throws where it breaks a rule that bbolt relies on when it changes
 * the tree: all leaves are at one depth, a branch has two children at least and their first keys, keys ascend, no page is
 * used twice, and each is in the file. Shares no code with the reader of the program.
 *
 * @returns the keys of the bucket `key`, hexadecimal, and the depth of its tree
 */
export function checkTrees(file: Buffer): { keys: string[]; depth: number } {
  const pageSize = file.readUInt32LE(16 + 8);
  const metas = [16, pageSize + 16].map((at) => ({
    root: Number(file.readBigUInt64LE(at + 16)),
    pages: Number(file.readBigUInt64LE(at + 40)),
    transaction: Number(file.readBigUInt64LE(at + 48)),
    id: (at - 16) / pageSize,
  }));
  const [first, second] = metas;
  if (first?.root !== second?.root || first?.pages !== second?.pages) fail("the metas differ");
  for (const { transaction, id } of metas) {
    if (transaction % 2 !== id) fail("a meta is on the page of the other one");
  }
  const pages = first?.pages ?? 0;
  if (pages * pageSize + 32 !== file.length) fail("the file has another size than its pages");
  const used = new Set<number>();

  const read = (id: number, isRoot: boolean): Tree => {
    const page = file.subarray(id * pageSize);
    if (Number(page.readBigUInt64LE(0)) !== id) fail(`page ${id} has another number`);
    const more = page.readUInt32LE(12);
    for (let i = id; i <= id + more; i++) {
      if (i < 2 || i >= pages || used.has(i)) fail(`page ${i} is used twice, or is none`);
      used.add(i);
    }
    const bytes = page.subarray(0, (more + 1) * pageSize);
    return page.readUInt16LE(8) === 1 ? readBranch(bytes, id) : readLeaf(bytes, isRoot);
  };
  const readBranch = (page: Buffer, id: number): Tree => {
    const count = page.readUInt16LE(10);
    if (count < 2) fail(`branch ${id} has ${count} children`);
    const children: Tree[] = [];
    for (let i = 0; i < count; i++) {
      const at = 16 + 16 * i;
      const start = at + page.readUInt32LE(at);
      const key = page.toString("hex", start, start + page.readUInt32LE(at + 4));
      const child = read(Number(page.readBigUInt64LE(at + 8)), false);
      if (child.entries[0]?.[0] !== key) fail(`branch ${id} has another key than its child`);
      children.push(child);
    }
    const depth = children[0]?.depth ?? 0;
    if (children.some((child) => child.depth !== depth)) fail("leaves are at several depths");
    return { entries: children.flatMap(({ entries }) => entries), depth: depth + 1 };
  };
  const walk = (tree: Tree): Tree => {
    for (const [i, [key]] of tree.entries.entries()) {
      const before = tree.entries[i - 1]?.[0];
      if (before !== undefined && before >= key) fail("keys do not ascend");
    }
    return tree;
  };

  let found: Tree = { entries: [], depth: 0 };
  for (const [name, bucket] of walk(read(first?.root ?? 0, true)).entries) {
    const root = Number(bucket.readBigUInt64LE(0));
    const tree = walk(root === 0 ? readLeaf(bucket.subarray(16), true) : read(root, true));
    if (Buffer.from(name, "hex").toString() === "key") found = tree;
  }
  return { keys: found.entries.map(([key]) => key), depth: found.depth };
}

interface Tree {
  readonly entries: readonly (readonly [key: string, value: Buffer])[];
  readonly depth: number;
}

function readLeaf(page: Buffer, isRoot: boolean): Tree {
  if (page.readUInt16LE(8) !== 2) fail("a page is no leaf");
  const count = page.readUInt16LE(10);
  if (count === 0 && !isRoot) fail("a leaf is empty");
  const entries = Array.from({ length: count }, (_, i) => {
    const at = 16 + 16 * i;
    const start = at + page.readUInt32LE(at + 4);
    const end = start + page.readUInt32LE(at + 8);
    return [
      page.toString("hex", start, end),
      page.subarray(end, end + page.readUInt32LE(at + 12)),
    ] as const;
  });
  return { entries, depth: 0 };
}

function fail(problem: string): never {
  throw new Error(problem);
}
