/**
 * Keeps one connection to Ceph. For each line `osd` on standard input it writes and stats an object, for each line `mon`
 * it queries the monitors. Prints `done`, or the code of the error.
 *
 *     node ceph/session.js POOL TIMEOUT-SECONDS
 */
import { createInterface } from "node:readline";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import { CephError } from "../../../src/sources/ceph/errors.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import { cephOptions, NEVER, objectOf } from "./load.js";

const [, , poolName = "", seconds = ""] = process.argv;
const ceph = await CephCluster.connect(cephOptions({ opTimeoutSeconds: Number(seconds) }), NEVER);
const pool = await ceph.openPool(poolName);
const object = objectOf("of the session", { data: [Buffer.from("data")] });

async function use(daemon: string): Promise<string> {
  try {
    if (daemon === "mon") {
      await ceph.poolsCreated();
    } else {
      await pool.write([object], NEVER);
      await pool.stat(packNames([object]), NEVER);
    }
    return "done";
  } catch (error) {
    return error instanceof CephError ? error.code : String(error);
  }
}

for await (const daemon of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await use(daemon)}\n`);
}
pool.close();
await ceph.close();
