import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { env } from "../test/support/program/backuptool.js";
import { casesOf, type Pair } from "./cases.js";
import { median } from "./measure.js";
import { secondaryCasesOf } from "./secondary-cases.js";
import { storeCasesOf } from "./store-cases.js";

/** Prints each case's rate beside its peer's, in one run on one machine, with CPU and memory. */
setMaxListeners(0);
const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "5" },
    scale: { type: "string", default: "1" },
    only: { type: "string" },
  },
});
const runs = Number(values.runs);
const scale = Number(values.scale);
const folder = mkdtempSync(join(env("BACKUPTOOL_TEST_FOLDER"), "bench-"));
const sizes = {
  largeObjects: Math.ceil(256 * scale),
  smallObjects: Math.ceil(50_000 * scale),
  records: Math.ceil(1_000_000 * scale),
};
const cases = [
  ...casesOf(folder, sizes),
  ...storeCasesOf(folder, sizes),
  ...secondaryCasesOf(folder, sizes),
];
const columns = ["ratio", "goal", "whole", "ours", "peer", "CPU s", "peak MiB", "case"];
console.log(`medians of ${runs} runs`);
console.log('"ratio" counts from the end of the key derivation, "whole" the whole process');
console.log(
  columns.map((name, i) => (i < columns.length - 1 ? name.padStart(9) : `  ${name}`)).join(""),
);
for (const one of cases) {
  if (values.only !== undefined && !one.name.includes(values.only)) continue;
  await one.prepare();
  const pairs: Pair[] = [];
  for (let i = 0; i < runs; i++) pairs.push(await one.run());
  const middle = (value: (pair: Pair) => number): number => median(pairs.map(value));
  const figures = [
    middle(({ ourRate, peerRate }) => ourRate / peerRate).toFixed(2),
    one.goal.toFixed(2),
    middle(({ wholeRate, peerRate }) => wholeRate / peerRate).toFixed(2),
    middle(({ ourRate }) => ourRate).toFixed(0),
    middle(({ peerRate }) => peerRate).toFixed(0),
    middle(({ ours }) => ours.user + ours.system).toFixed(2),
    (middle(({ ours }) => ours.peak) / (1 << 20)).toFixed(0),
  ];
  console.log(
    `${figures.map((figure) => figure.padStart(9)).join("")}  ${one.name} (${one.unit}/s; ${one.peer})`,
  );
}
rmSync(folder, { recursive: true });
