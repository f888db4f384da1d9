import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const PAGES = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  "fixtures/README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

for (const page of PAGES) {
  const text = readFileSync(join(ROOT, page), "utf8");

  test(`the links of ${page} lead to files that exist`, (t) => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link = ""]) => link);
    const broken = links.filter((link) => !existsSync(join(ROOT, dirname(page), link)));
    t.deepEqual(broken, []);
  });

  test(`the source files that ${page} names exist`, (t) => {
    const named = text.match(/(?<![\w/.-])(?:src|test|native|bench|docs)\/[\w./-]*\w/g) ?? [];
    t.deepEqual(
      named.filter((path) => !existsSync(join(ROOT, path))),
      [],
    );
  });
}
