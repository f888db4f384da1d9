import { type ChildProcess, execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, lines } from "../../support/program/backuptool.js";
import { until } from "../../support/program/disturbed.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { judgeStore } from "../../support/stores/judge-store.js";
import { folderStore } from "../../support/stores/flags.js";

test("a create whose rclone is killed fails, and nothing looks complete", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (let i = 0; i < 8; i++) await etcd.put(Buffer.from(`key-${i}`), randomBytes(1_400_000));
  const remote = newFolder();
  const config = join(newFolder(), "rclone.conf");
  writeFileSync(config, "[disk]\ntype = local\n");
  let killing: Promise<void> | undefined;
  const made = await backuptool(
    [
      "create",
      "--json",
      "--skip-ceph",
      "--etcd",
      etcd.endpoint,
      "--store",
      `rclone:disk:${remote}`,
    ],
    {
      // Slow, so that it can be killed in the middle.
      env: { RCLONE_CONFIG: config, RCLONE_BWLIMIT: "2M" },
      onStart: (child) => {
        killing = killOnceItWrites(remote, child);
      },
    },
  );
  await killing;
  t.is(made.code, 1, made.stderr);
  const error = JSON.parse(lines(made.stdout).at(-1) ?? "{}");
  t.is(error.type, "error");
  t.regex(error.code, /^STORE_(TRANSIENT|FAILED)$/, error.message);
  t.regex(error.message, /^rclone:disk:.*(ECONNRE|hang up|broke \()/);
  const { whole, lies } = await judgeStore(folderStore(remote).open());
  t.deepEqual([whole, lies], [[], []]);
});

/** Kills the rclone of the program when the first bytes have reached the folder. */
async function killOnceItWrites(folder: string, program: ChildProcess): Promise<void> {
  const written = (): boolean =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).some((name) => {
      const { size } = statSync(join(folder, name), { throwIfNoEntry: false }) ?? {};
      return (size ?? 0) > 100_000 && !statSync(join(folder, name)).isDirectory();
    });
  await until(program, written, 20);
  const [pid] = rclonesOf(program.pid ?? 0);
  if (pid !== undefined) process.kill(pid, "SIGKILL");
}

function rclonesOf(parent: number): number[] {
  const all = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" });
  return all.split("\n").flatMap((line) => {
    const [pid, ppid, ...args] = line.trim().split(/\s+/);
    return Number(ppid) === parent && args.includes("rcd") ? [Number(pid)] : [];
  });
}
