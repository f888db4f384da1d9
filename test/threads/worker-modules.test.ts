import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import ts from "typescript";
import { SealPool } from "../../src/archive/seal/seal-pool.js";
import { WorkerCalls } from "../../src/threads/worker-calls.js";

const SOURCES = fileURLToPath(new URL("../../../src", import.meta.url));

function parsed(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true);
}

/** The modules of src that this one loads, by `import` or `export … from`; types alone are not loaded. */
function imports(file: ts.SourceFile): string[] {
  return file.statements.flatMap((statement) => {
    if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return [];
    const typeOnly = ts.isImportDeclaration(statement)
      ? statement.importClause?.isTypeOnly
      : statement.isTypeOnly;
    const from = statement.moduleSpecifier;
    if (typeOnly || from === undefined || !ts.isStringLiteral(from)) return [];
    if (!from.text.startsWith(".")) return [];
    return [join(dirname(file.fileName), from.text.replace(/\.js$/, ".ts"))];
  });
}

/** Line of the first `await` that the module itself executes, not one of its functions. */
function topLevelAwait(file: ts.SourceFile): number | undefined {
  const find = (node: ts.Node): ts.Node | undefined => {
    if (ts.isFunctionLike(node) || ts.isPropertyDeclaration(node)) return undefined;
    if (ts.isAwaitExpression(node)) return node;
    if (ts.isForOfStatement(node) && node.awaitModifier !== undefined) return node;
    const list = ts.isVariableDeclarationList(node) ? node.flags : 0;
    if ((list & ts.NodeFlags.AwaitUsing) === ts.NodeFlags.AwaitUsing) return node;
    return ts.forEachChild(node, find);
  };
  const found = find(file);
  if (found === undefined) return undefined;
  return file.getLineAndCharacterOfPosition(found.getStart()).line + 1;
}

const workers = readdirSync(SOURCES, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts"))
  .map((path) => join(SOURCES, path))
  .filter((path) => /\bparentPort\b/.test(readFileSync(path, "utf8")));

test("no module that a worker loads waits at its top level", (t) => {
  t.true(workers.length >= 3, workers.join());
  const seen = new Set<string>();
  const visit = (path: string): void => {
    if (seen.has(path)) return;
    seen.add(path);
    const file = parsed(path);
    t.is(topLevelAwait(file), undefined, path);
    for (const next of imports(file)) visit(next);
  };
  for (const worker of workers) visit(worker);
  t.true(seen.has(join(SOURCES, "archive/crypto/sodium.ts")));
});

test("an await at the top level is found in each of its forms", (t) => {
  const at = (text: string) =>
    topLevelAwait(ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true));
  t.is(at("\nconst a = await b();"), 2);
  t.is(at("if (a) { for await (const b of c) d(b); }"), 1);
  t.is(at("await using a = b();"), 1);
  t.is(
    at("export const a = async () => await b(); class C { async d() { await e(); } }"),
    undefined,
  );
});

/** At any moment: some threads load their modules then, some wait for work, some work. */
const moment = (i: number) => new Promise((resolve) => setTimeout(resolve, (i * 7) % 90));

for (const name of [
  "archive/seal/seal-worker.js",
  "threads/file-worker.js",
  "archive/original/frame-worker.js",
]) {
  test(`${name} can be ended at any moment`, async (t) => {
    const script = new URL(`../../src/${name}`, import.meta.url);
    const one = async (i: number) => {
      const calls = new WorkerCalls<{ id: number }, { id: number }>(script, name);
      await moment(i);
      await calls.close();
    };
    for (let i = 0; i < 96; i += 4) await Promise.all([i, i + 1, i + 2, i + 3].map(one));
    t.pass();
  });
}

test("a seal pool can be ended while it works", async (t) => {
  for (let i = 0; i < 20; i++) {
    const pool = new SealPool(4);
    const bytes = 1 << 20;
    const job = {
      plain: new SharedArrayBuffer(bytes),
      plainLength: bytes,
      pieces: [],
      out: new SharedArrayBuffer(2 * bytes),
      outOffset: 0,
      nonce: Buffer.alloc(24),
      key: Buffer.alloc(32),
      level: 3,
    };
    const results = Promise.allSettled(Array.from({ length: 8 }, () => pool.seal(job)));
    await moment(i * 5);
    await pool.close();
    t.is((await results).length, 8);
  }
});
