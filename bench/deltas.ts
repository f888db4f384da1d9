import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseDeltaName } from "../src/snapshots/streams/delta-name.js";
import { RunningServer } from "../test/support/program/running-server.js";
import { EtcdServer } from "../test/support/servers/etcd-server.js";
import { bothStores, folderStore } from "../test/support/stores/flags.js";

/** Writes in flight when etcd is written as fast as it takes them. */
const WRITERS = 64;

/**
 * How long after its write each revision of etcd is durable in both of two folders, at 1,000 writes a second and at as many
 * as etcd takes.
 *
 * @param seconds of each
 */
export async function deltaFigures(folder: string, seconds: number): Promise<string[]> {
  const etcd = await EtcdServer.start();
  const folders = [join(folder, "deltas-primary"), join(folder, "deltas-secondary")];
  const [primary = "", secondary = ""] = folders;
  const { flags, env } = bothStores(folderStore(primary), folderStore(secondary));
  const alone = ["--no-leader-election", "--skip-ceph", "--verify-schedule", "off"];
  const server = await RunningServer.start([...flags, ...alone, "--etcd", etcd.endpoint], env);
  try {
    await server.logged("Job done", ({ job }) => job === "full");
    await server.until("the watch", async () => {
      return (await server.status()).deltas.state === "following";
    });
    const lines = [
      "deltas: seconds from the answer of etcd to a write until it is durable in both stores",
    ];
    for (const rate of [1_000, Number.POSITIVE_INFINITY]) {
      const writes = await writeFor(etcd, seconds, rate);
      const last = await etcd.revision();
      await server.until("all to be durable", async () => {
        const sites = Object.values((await server.status()).deltas.sites);
        return sites.every((site) => (site?.durableRevision ?? 0) >= last);
      });
      const delays = delaysOf(writes, folders);
      const at = (share: number) =>
        (delays[Math.floor((delays.length - 1) * share)] ?? 0).toFixed(2);
      const memory = /^process_resident_memory_bytes (\d+)/m.exec(await server.text("/metrics"));
      const mib = Math.round(Number(memory?.[1]) / (1 << 20));
      const perSecond = Math.round(writes.size / seconds);
      lines.push(
        `${perSecond} revisions/s: p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)} s; ${mib} MiB of memory`,
      );
    }
    return lines;
  } finally {
    await server.stop();
    await etcd.stop();
  }
}

/** When each revision was answered, ms since 1970. */
async function writeFor(
  etcd: EtcdServer,
  seconds: number,
  rate: number,
): Promise<Map<number, number>> {
  const times = new Map<number, number>();
  const begun = performance.now();
  const endMs = begun + seconds * 1000;
  let started = 0;
  const value = Buffer.alloc(100, "v");
  const writer = async (id: number): Promise<void> => {
    while (performance.now() < endMs) {
      const early = begun + (started++ * 1000) / rate - performance.now();
      if (early > 0) await sleep(early);
      const key = Buffer.from(`bench/${id}/${started % 1000}`);
      const { header } = await etcd.client.kv.put({ key, value });
      times.set(Number(header.revision), Date.now());
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, (_, id) => writer(id)));
  return times;
}

/** Seconds from each write to the later of the files that have it, in order of their length. */
function delaysOf(writes: ReadonlyMap<number, number>, folders: readonly string[]): number[] {
  const storedMs = new Map<number, number>();
  for (const folder of folders) {
    for (const stream of readdirSync(folder).filter((name) => name.startsWith("Etcd-"))) {
      for (const file of readdirSync(join(folder, stream))) {
        const delta = parseDeltaName(file);
        if (delta === undefined) continue;
        const { mtimeMs } = statSync(join(folder, stream, file));
        for (let revision = delta.first; revision <= delta.last; revision++) {
          storedMs.set(revision, Math.max(mtimeMs, storedMs.get(revision) ?? 0));
        }
      }
    }
  }
  const delays = [...writes].map(([revision, ms]) => {
    return ((storedMs.get(revision) ?? Number.POSITIVE_INFINITY) - ms) / 1000;
  });
  return delays.sort((a, b) => a - b);
}
