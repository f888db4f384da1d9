import { setMaxListeners } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { env } from "../test/support/program/backuptool.js";
import { type Case, casesOf, type Pair } from "./cases.js";
import { deltaFigures } from "./deltas.js";
import { buildLeastCpu } from "./least-cpu.js";
import { median } from "./measure.js";
import { memberCasesOf } from "./member-case.js";
import { secondaryCasesOf } from "./secondary-cases.js";
import { storeCasesOf } from "./store-cases.js";
import { watchFigures } from "./watch.js";

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
  ...memberCasesOf(sizes),
];

/** Columns and their widths; the case comes last. */
const COLUMNS = {
  ratio: 5,
  goal: 6,
  whole: 6,
  ours: 8,
  peer: 8,
  "CPU/GiB": 9,
  least: 7,
  times: 7,
  MiB: 5,
};

function row(fields: readonly string[], name: string): string {
  const cells = Object.values(COLUMNS).map((width, i) => (fields[i] ?? "").padStart(width));
  return `${cells.join("")}  ${name}`;
}

async function measureCase(one: Case): Promise<string> {
  await one.prepare();
  const pairs: Pair[] = [];
  for (let i = 0; i < runs; i++) pairs.push(await one.run());
  const middle = (value: (pair: Pair) => number): number => median(pairs.map(value));
  const bytes = one.bytes();
  const perGiB = (seconds: number): number => (seconds * (1 << 30)) / bytes;
  const cpu = perGiB(middle(({ ours }) => ours.workCpu));
  const least = perGiB(await leastCpu(one.least, bytes));
  const figures = [
    middle(({ ourRate, peerRate }) => ourRate / peerRate).toFixed(2),
    one.goal.toFixed(2),
    middle(({ wholeRate, peerRate }) => wholeRate / peerRate).toFixed(2),
    middle(({ ourRate }) => ourRate).toFixed(0),
    middle(({ peerRate }) => peerRate).toFixed(0),
    cpu.toFixed(2),
    least.toFixed(2),
    (cpu / least).toFixed(1),
    (middle(({ ours }) => ours.peak) / (1 << 20)).toFixed(0),
  ];
  return `${row(figures, one.name)}\n${row([], `  ${one.unit}/s; peer: ${one.peer}`)}`;
}

const leastCpu = await buildLeastCpu(folder);
console.log(`medians of ${runs} runs
ratio, CPU: from the end of the key derivation; whole: the whole process; MiB: peak of its memory
CPU/GiB, least, times: CPU seconds for each GiB stored, the least that hashing and sealing or opening
these bytes takes in C++, and the one divided by the other\n`);
console.log(row(Object.keys(COLUMNS), "case"));
for (const one of cases) {
  if (values.only === undefined || one.name.includes(values.only)) {
    console.log(await measureCase(one));
  }
}
if (values.only === undefined || "deltas".includes(values.only)) {
  console.log(`\n${(await deltaFigures(folder, Math.ceil(60 * scale))).join("\n")}`);
  console.log((await watchFigures(folder, 10 * Math.ceil(6_000 * Math.min(scale, 1)))).join("\n"));
}
rmSync(folder, { recursive: true });
