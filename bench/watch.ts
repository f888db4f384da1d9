import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RunningServer } from "../test/support/program/running-server.js";
import { EtcdServer } from "../test/support/servers/etcd-server.js";
import { bothStores, folderStore } from "../test/support/stores/flags.js";

/**
 * Events a second that a server which was down reads, seals and has durable in two folders, beside `etcdctl watch` from the same
 * revision, which prints them to nobody; for so many events (60,000 at most: a server that lacks more than 20,000 revisions makes
 * a raw snapshot instead), and three times as many, with the peak of memory.
 */
export async function watchFigures(folder: string, events: number): Promise<string[]> {
  const lines = [
    "deltas: events/s that are durable in both stores after a pause, and those of etcdctl watch",
  ];
  for (const count of [events, 3 * events]) {
    lines.push(await watchFigure(join(folder, `watch-${count}`), count));
  }
  return lines;
}

async function watchFigure(folder: string, count: number): Promise<string> {
  const etcd = await EtcdServer.start(["--quota-backend-bytes", `${8 * 2 ** 30}`]);
  const stores = bothStores(
    folderStore(join(folder, "primary")),
    folderStore(join(folder, "secondary")),
  );
  const off = ["--no-leader-election", "--skip-ceph", "--verify-schedule", "off"];
  // The rest of the events would wait for the end of a longer period.
  const often = ["--delta-snapshot-period", "1s"];
  const args = [...stores.flags, ...off, ...often, "--etcd", etcd.endpoint];
  const start = async (): Promise<RunningServer> => {
    const server = await RunningServer.start(args, stores.env);
    await server.until("the watch", async () => {
      return (await server.status()).deltas.state === "following";
    });
    return server;
  };
  try {
    const before = await start();
    await before.logged("Job done", ({ job }) => job === "full");
    // The next server goes on after a delta; without one, a raw snapshot would hold all that follows.
    await etcd.ctl("put", "first", "change");
    await durable(before, await etcd.revision());
    await before.stop();
    const first = (await etcd.revision()) + 1;
    await writeEvents(etcd, count);
    const last = await etcd.revision();
    const theirs = await etcdctlWatch(etcd.endpoint, first, count);
    const server = await start();
    try {
      const begun = performance.now();
      await durable(server, last);
      const seconds = (performance.now() - begun) / 1000;
      return [
        `${count} events: ${figures(count, { seconds, ...usageOf(server.pid) })}`,
        `etcdctl watch ${figures(count, theirs)}`,
        `ratio ${(theirs.seconds / seconds).toFixed(2)}`,
      ].join("; ");
    } finally {
      await server.stop();
    }
  } finally {
    await etcd.stop();
  }
}

/**
 * Transactions of ten puts. Of larger ones etcd makes answers of a hundred thousand events, and to divide those takes it the
 * square of their number.
 */
async function writeEvents(etcd: EtcdServer, count: number): Promise<void> {
  const value = Buffer.alloc(100, "v");
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < count) {
      const first = next;
      next += EVENTS;
      const success = Array.from({ length: EVENTS }, (_, i) => ({
        request_put: { key: Buffer.from(`btrdb/stream/${first + i}`), value },
      }));
      await etcd.client.kv.txn({ success });
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, writer));
}

const EVENTS = 10;
const WRITERS = 32;

async function durable(server: RunningServer, revision: number): Promise<void> {
  await server.until("all to be durable", async () => {
    const sites = Object.values((await server.status()).deltas.sites);
    return sites.every((site) => (site?.durableRevision ?? 0) >= revision);
  });
}

/** Until it has printed all events, each in three lines: PUT, the key, the value. */
async function etcdctlWatch(endpoint: string, first: number, count: number): Promise<Watched> {
  const begun = performance.now();
  const args = ["--endpoints", endpoint, "watch", "--prefix", "", "--rev", `${first}`];
  const child = spawn("etcdctl", args, {
    env: { ...process.env, ETCDCTL_API: "3" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let lines = 0;
  for await (const bytes of child.stdout) {
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) lines++;
    if (lines >= 3 * count) break;
  }
  const seconds = (performance.now() - begun) / 1000;
  const usage = usageOf(child.pid);
  child.kill();
  while (child.exitCode === null && child.signalCode === null) await sleep(10);
  return { seconds, ...usage };
}

/** What a process has used so far. */
interface Usage {
  readonly cpuSeconds: number;
  readonly peakMib: number;
}

interface Watched extends Usage {
  readonly seconds: number;
}

function usageOf(pid: number | undefined): Usage {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /s, "")
    .split(" ");
  return {
    cpuSeconds: (Number(stat[11]) + Number(stat[12])) / TICKS,
    peakMib: Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024),
  };
}

/** Of a second, in /proc. */
const TICKS = 100;

function figures(count: number, { seconds, cpuSeconds, peakMib }: Watched): string {
  return `${Math.round(count / seconds)}/s, CPU ${cpuSeconds.toFixed(1)} s, peak ${peakMib} MiB`;
}
