import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import test from "ava";
import { parse } from "yaml";
import type { Declaration } from "../../src/settings/kinds.js";
import * as declarations from "../../src/settings/server-declarations.js";
import { ALERT_NAMES } from "../../src/server/status.js";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const page = readFileSync(`${ROOT}docs/server.md`, "utf8");

test("docs/server.md has every setting of the server, with its default", (t) => {
  const settings: (readonly [string, Declaration])[] = Object.values(declarations).flatMap(
    (group) => Object.entries(group),
  );
  for (const [name, declaration] of settings) {
    t.true(page.includes(`\`--${name}\``), `--${name} is missing`);
    // The rows of the tables.
    const row = page.split("\n").find((line) => line.startsWith(`| \`--${name}\` `));
    if (row === undefined) continue;
    const { default: byDefault } = { default: undefined, ...declaration };
    if (typeof byDefault === "string") t.true(row.includes(`\`${byDefault}\``), row);
  }
});

test("docs/server.md names every alert, of the server and of Prometheus", (t) => {
  for (const name of ALERT_NAMES) t.true(page.includes(`| \`${name}\` `), name);
  const rules: readonly { readonly alert: string }[] = parse(
    readFileSync(`${ROOT}deploy/prometheus/alerts.yaml`, "utf8"),
  ).groups[0].rules;
  const named = new Set(page.match(/\bBackuptool[A-Z]\w+/g));
  t.deepEqual([...named].sort(), rules.map(({ alert }) => alert).sort());
});

test("the links within docs/server.md lead to headings", (t) => {
  const anchors = new Set(
    [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
  const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, anchor = ""]) => anchor);
  t.deepEqual(
    links.filter((anchor) => !anchors.has(anchor)),
    [],
  );
});
