/**
 * Ends in the middle of a load on Ceph, in one of several ways.
 *
 *     node ceph/endings.js POOL ENDING
 */
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { CephCluster } from "../../../src/sources/ceph/cluster.js";
import { cephOptions, Load, NEVER, STUCK } from "./load.js";

const FILE = fileURLToPath(import.meta.url);

async function busy(pool: string): Promise<Load> {
  const load = await Load.start(pool);
  while (load.answered < 20) await sleep(1);
  return load;
}

async function terminateWorkers(pool: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const worker = new Worker(FILE, { workerData: pool });
    await new Promise((resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    });
    await worker.terminate();
  }
}

const ENDINGS: Readonly<Record<string, (pool: string) => Promise<void>>> = {
  async exit(pool) {
    await busy(pool);
    process.exit(7);
  },
  async "uncaught exception"(pool) {
    await busy(pool);
    setImmediate(() => {
      throw new Error("on purpose");
    });
  },
  async SIGTERM(pool) {
    await busy(pool);
    process.kill(process.pid, "SIGTERM");
  },
  async "exit in a handler of SIGTERM"(pool) {
    process.on("SIGTERM", () => process.exit(9));
    await busy(pool);
    process.kill(process.pid, "SIGTERM");
  },
  async close(pool) {
    const load = await busy(pool);
    const before = load.underWay;
    await load.cluster.close();
    await sleep(0);
    if (before === 0 || load.underWay > 0 || load.interrupted !== before) process.exitCode = 1;
  },
  async "close and exit"(pool) {
    const load = await busy(pool);
    void load.cluster.close();
    process.exit(7);
  },
  /** The event loop becomes empty while the connection is open. */
  async "nothing left to do"(pool) {
    (await busy(pool)).end();
  },
  async "two connections, one closed"(pool) {
    const [one, other] = await Promise.all([busy(pool), busy(pool)]);
    await one.cluster.close();
    const before = other.answered;
    while (other.answered < before + 20) await sleep(1);
    process.exit(7);
  },
  /** For a cluster whose OSD is down. */
  async "close while stuck"(pool) {
    const load = await Load.start(pool, cephOptions(STUCK));
    await sleep(300);
    await load.cluster.close();
  },
  async "exit while stuck"(pool) {
    await Load.start(pool, cephOptions(STUCK));
    await sleep(300);
    process.exit(7);
  },
  /** For a cluster whose monitor is down. */
  async "abort while connecting"() {
    await CephCluster.connect(cephOptions(STUCK), AbortSignal.timeout(300)).catch(() => {});
  },
  async "exit while connecting"() {
    void CephCluster.connect(cephOptions(STUCK), NEVER);
    await sleep(300);
    process.exit(7);
  },
  /** The main thread never loads the binding, so the end of a worker would unload it. */
  async "workers terminated"(pool) {
    await terminateWorkers(pool, 2);
  },
  async "workers terminated beside a load"(pool) {
    const load = await busy(pool);
    await terminateWorkers(pool, 2);
    const before = load.answered;
    while (load.answered < before + 20) await sleep(1);
    await load.cluster.close();
  },
  async "exit beside workers"(pool) {
    for (let i = 0; i < 2; i++) new Worker(FILE, { workerData: pool });
    await busy(pool);
    process.exit(7);
  },
};

if (isMainThread) {
  const [pool = "", ending = ""] = process.argv.slice(2);
  const end = ENDINGS[ending];
  if (end === undefined) throw new Error(`no ending ${ending}`);
  await end(pool);
} else {
  await busy(workerData as string);
  parentPort?.postMessage("busy");
}
