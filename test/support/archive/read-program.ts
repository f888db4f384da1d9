import { FolderFiles } from "../../../src/archive/backup-files.js";
/**
 * Reads the backup in argv[2], and prints the result with the peak memory of the process:
 * node archive-read-program.js FOLDER
 */
import { BackupReader } from "../../../src/archive/backup-reader.js";
import { chunkCipher } from "../../../src/archive/crypto/chunk-cipher.js";
import { ObjectTable } from "../../../src/archive/index/object-table.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { readAll, readingDigest } from "./judge.js";
import { samplePassphrase } from "./sample.js";
import { peakKiB } from "../program/peak.js";

/** Whether an object table finds each object of the index. */
async function tableHolds(folder: string, pool: SealPool): Promise<boolean> {
  const backup = await BackupReader.open(new FolderFiles(folder), samplePassphrase(), pool);
  const table = new ObjectTable(backup.metadata.counts.objects);
  let all = true;
  for (const pass of ["set", "find"]) {
    for await (const items of backup.readIndex()) {
      for (const item of items) {
        if (item.kind !== "object") continue;
        const { pool: ordinal } = item;
        if (pass === "set") table.set(ordinal, item, item);
        const slot = table.find(ordinal, item);
        all &&= slot !== undefined && table.entry(slot).offset === item.offset;
      }
    }
  }
  return all && table.count === backup.metadata.counts.objects;
}

const folder = process.argv[2] ?? "";
const pool = new SealPool(1);
const reading = await readAll(folder, samplePassphrase(), pool);
const { error } = reading;
const table = error === undefined ? await tableHolds(folder, pool) : false;
await pool.close();
const result = {
  code: error?.code ?? "read",
  message: error?.message ?? "",
  digest: readingDigest(reading),
  cipher: (await chunkCipher()).name,
  table,
  residentKiB: peakKiB("VmHWM"),
  addressSpaceKiB: peakKiB("VmPeak"),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
