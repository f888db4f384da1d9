/**
 * Feeds corrupt backups, corrupt logs and random bytes to every reader of the archive, for a given time:
 * scripts/fuzz [--seed SEED] [--seconds SECONDS] [--iteration N]
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SealPool } from "../../src/archive/seal/seal-pool.js";
import { mutated } from "../support/archive/mutations.js";
import { samplePassphrase } from "../support/archive/sample.js";
import { SeededChoice } from "../support/seeded-choice.js";
import { FuzzedBackup } from "./fuzz-backups.js";
import { FuzzedLog } from "./fuzz-logs.js";
import { DECODERS, type Seeds } from "./fuzz-decoders.js";

/** Decoders cost microseconds, a whole backup milliseconds. */
const DECODED_PER_ITERATION = 50;

async function decodeOne(choice: SeededChoice, seeds: Seeds): Promise<string | undefined> {
  const decoder = choice.of(DECODERS);
  const { bytes, how } = mutated(seeds[decoder.seed], choice);
  try {
    await decoder.run(bytes);
  } catch (error) {
    if (decoder.rejects(error)) return undefined;
    const stack = error instanceof Error ? error.stack : String(error);
    return `${decoder.name} of ${bytes.toString("hex").slice(0, 2000)} (${how}): ${stack}`;
  }
  return undefined;
}

async function iterate(
  choice: SeededChoice,
  backup: FuzzedBackup,
  twin: FuzzedBackup,
  log: FuzzedLog,
): Promise<string[]> {
  const wrong: (string | undefined)[] = [];
  const seeds = { ...backup.seeds, delta: log.seed };
  for (let i = 0; i < DECODED_PER_ITERATION; i++) {
    wrong.push(await decodeOne(choice, seeds));
  }
  wrong.push(await log.store(choice));
  wrong.push(await log.forge(choice));
  wrong.push(await backup.store(choice, twin));
  wrong.push(await backup.forge(choice));
  return wrong.filter((one) => one !== undefined);
}

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    seconds: { type: "string", default: "60" },
    iteration: { type: "string" },
  },
});
const seed = values.seed ?? randomBytes(6).toString("hex");
const seconds = Number(values.seconds);
const first = Number(values.iteration ?? 0);
if (!(seconds > 0) || !Number.isSafeInteger(first)) {
  throw new Error("--seconds and --iteration take numbers");
}
process.stdout.write(`fuzz: seed ${seed}, ${seconds} s\n`);
const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
const pool = new SealPool(1);
let found = 0;
let iteration = first;
try {
  const passphrase = samplePassphrase();
  const backup = await FuzzedBackup.make(join(folder, "backup"), passphrase, pool);
  const twin = await FuzzedBackup.make(join(folder, "twin"), passphrase, pool);
  const log = await FuzzedLog.make(passphrase, pool);
  const end = performance.now() + 1000 * seconds;
  while (performance.now() < end) {
    for (const wrong of await iterate(
      new SeededChoice(`${seed} ${iteration}`),
      backup,
      twin,
      log,
    )) {
      found++;
      process.stdout.write(`fuzz: --seed ${seed} --iteration ${iteration}: ${wrong}\n`);
    }
    iteration++;
    if (values.iteration !== undefined) break;
  }
} finally {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`fuzz: ${iteration - first} iterations, ${found} wrong\n`);
process.exitCode = found === 0 ? 0 : 1;
