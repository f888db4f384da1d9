import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RunningServer } from "../test/support/program/running-server.js";
import { EtcdServer } from "../test/support/servers/etcd-server.js";
import { bothStores, folderStore } from "../test/support/stores/flags.js";
import { fillEtcd } from "./fill-etcd.js";

/**
 * Events a second that a server which was down reads, seals and has durable in two folders, beside `etcdctl watch` from the same
 * revision, which prints them to nobody; for so many events, and four times as many, with the peak of memory.
 */
export async function watchFigures(folder: string, events: number): Promise<string[]> {
  const lines = [
    "deltas: events/s that are durable in both stores after a pause, and those of etcdctl watch",
  ];
  for (const count of [events, 4 * events]) {
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
    await fillEtcd(etcd.endpoint, { count, valueBytes: 100 });
    const last = await etcd.revision();
    const theirs = await etcdctlWatch(etcd.endpoint, first, count);
    const server = await start();
    try {
      const begun = performance.now();
      await durable(server, last);
      const seconds = (performance.now() - begun) / 1000;
      return [
        `${count} events: ${Math.round(count / seconds)}/s, peak ${peakMib(server.pid)} MiB`,
        `etcdctl watch ${Math.round(count / theirs.seconds)}/s, peak ${theirs.peakMib} MiB`,
        `ratio ${(theirs.seconds / seconds).toFixed(2)}`,
      ].join("; ");
    } finally {
      await server.stop();
    }
  } finally {
    await etcd.stop();
  }
}

async function durable(server: RunningServer, revision: number): Promise<void> {
  await server.until("all to be durable", async () => {
    const sites = Object.values((await server.status()).deltas.sites);
    return sites.every((site) => (site?.durableRevision ?? 0) >= revision);
  });
}

/** Until it has printed all events, each in three lines: PUT, the key, the value. */
async function etcdctlWatch(
  endpoint: string,
  first: number,
  count: number,
): Promise<{ seconds: number; peakMib: number }> {
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
  const peak = peakMib(child.pid);
  child.kill();
  while (child.exitCode === null && child.signalCode === null) await sleep(10);
  return { seconds, peakMib: peak };
}

/** The most memory that a process has had. */
function peakMib(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round(Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024);
}
