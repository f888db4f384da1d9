import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { derivePassphraseKey, KDF_COSTS } from "../../../src/archive/crypto/passphrase-key.js";

/**
 * Derives a key in a process with little more memory than it uses, and prints the error:
 * node kdf-without-memory.js
 */
const MORE_BYTES = 64 << 20;

const passphrase = Buffer.from("passphrase");
const salt = Buffer.alloc(16);
// The threads of the pool get their stacks before the limit is set.
const least = { memoryKiB: 8, passes: 1, lanes: 1 };
await Promise.all([1, 2, 3, 4].map(() => derivePassphraseKey(passphrase, salt, least)));
const status = readFileSync("/proc/self/status", "utf8");
const used = Number(/^VmSize:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
execFileSync("prlimit", ["--pid", String(process.pid), `--as=${used + MORE_BYTES}`]);
try {
  await derivePassphraseKey(passphrase, salt, KDF_COSTS.moderate);
  console.log(JSON.stringify({ code: "derived" }));
} catch (error) {
  const { code, message } = error as { code?: string; message: string };
  console.log(JSON.stringify({ code, message }));
}
