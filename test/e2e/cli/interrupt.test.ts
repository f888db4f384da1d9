import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { backuptool } from "../../support/program/backuptool.js";
import { disturbed, until } from "../../support/program/disturbed.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";

/** Enough that neither a create nor a restore ends before it is disturbed. */
const VALUES = 150;

let etcd: EtcdServer;
const folder = newFolder();
const whole = join(folder, "whole");
let target: string[];

test.before(async (t) => {
  // After a snapshot etcd restarts quickly: it has little to read again.
  etcd = await EtcdServer.start(["--snapshot-count", "10"]);
  target = ["--skip-ceph", "--etcd", etcd.endpoint, "--quiet"];
  for (let i = 0; i < VALUES; i++) await etcd.put(Buffer.from(`key${i}`), randomBytes(1_000_000));
  const made = await backuptool(["create", "--outputdir", whole, ...target]);
  t.is(made.code, 0, made.stderr);
});
test.after.always(() => etcd?.stop());

/** Does something to the program as soon as it has printed `line`. */
function when(line: string, act: (child: ChildProcess) => unknown): (child: ChildProcess) => void {
  return (child) => {
    let printed = "";
    child.stdout?.on("data", (bytes: Buffer) => {
      const before = printed.includes(line);
      printed += bytes.toString();
      if (!before && printed.includes(line)) act(child);
    });
  };
}

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  test.serial(`${signal} ends a create with 130, and the error names what is left`, async (t) => {
    let outputdir = "";
    const { code, stderr } = await disturbed(() => {
      outputdir = join(newFolder(), "interrupted");
      return backuptool(["create", "--outputdir", outputdir, ...target], {
        onStart: when("creating new file", (child) => {
          child.kill(signal);
        }),
      });
    });
    t.is(code, 130);
    t.regex(
      stderr.trimEnd(),
      /^backuptool: interrupted; 0 ceph objects and \d+ etcd records? had been read; the backup in ".*" is unfinished: remove that folder and create it again$/,
    );
    t.false(readdirSync(outputdir).includes("MANIFEST.json"));
    const opened = await backuptool(["inspect", "--outputdir", outputdir]);
    t.is(opened.code, 11, opened.stderr);
    rmSync(outputdir, { recursive: true });
  });

  test.serial(`${signal} ends a restore with 130, and it can be run again`, async (t) => {
    const before = await etcd.pairs();
    const args = ["restore", "--outputdir", whole, ...target];
    const { code, stderr } = await disturbed(() =>
      backuptool(args, {
        onStart: when("connecting etcd", async (child) => {
          const then = await etcd.revision();
          await until(child, async () => (await etcd.revision()) !== then);
          child.kill(signal);
        }),
      }),
    );
    t.is(code, 130);
    t.regex(stderr.trimEnd(), /^backuptool: interrupted; .*the restore can be run again$/);
    t.is((await backuptool(args)).code, 0);
    t.deepEqual(await etcd.pairs(), before);
  });
}

test.serial("a second signal ends the program at once", async (t) => {
  const { code } = await disturbed(() =>
    backuptool(["create", "--outputdir", join(newFolder(), "twice"), ...target], {
      onStart: when("creating new file", (child) => {
        child.kill("SIGINT");
        child.kill("SIGTERM");
      }),
    }),
  );
  t.is(code, 130);
});

test.serial(
  "the error of an etcd killed during a create names it, and the next run succeeds",
  async (t) => {
    let args: string[] = [];
    let outputdir = "";
    const { code, stderr } = await disturbed(async () => {
      outputdir = join(newFolder(), "etcd-died");
      args = ["create", "--outputdir", outputdir, ...target];
      const result = await backuptool(args, {
        onStart: when("creating new file", () => etcd.stop()),
      });
      await etcd.start();
      return result;
    });
    t.is(code, 1);
    t.is(stderr.trimEnd().split("\n").length, 1);
    t.true(stderr.includes(etcd.endpoint), stderr);
    t.regex(stderr, /etcd records? had been read; .*remove that folder and create it again/);
    rmSync(outputdir, { recursive: true });
    t.is((await backuptool(args)).code, 0);
  },
);

test.serial(
  "the error of an etcd killed during a restore names it, and the next run succeeds",
  async (t) => {
    const before = await etcd.pairs();
    const args = ["restore", "--outputdir", whole, ...target];
    const { code, stderr } = await disturbed(async () => {
      const result = await backuptool(args, {
        onStart: when("connecting etcd", () => etcd.stop()),
      });
      await etcd.start();
      return result;
    });
    t.is(code, 1);
    t.is(stderr.trimEnd().split("\n").length, 1);
    t.true(stderr.includes(etcd.endpoint), stderr);
    t.is((await backuptool(args)).code, 0);
    t.deepEqual(await etcd.pairs(), before);
  },
);

test.serial("a short outage of etcd does not end a create", async (t) => {
  const args = ["create", "--outputdir", join(folder, "away"), ...target];
  const away = async () => {
    await etcd.stop();
    await sleep(500);
    await etcd.start();
  };
  let back: Promise<void> | undefined;
  const { code, stderr } = await backuptool(args, {
    onStart: when("creating new file", () => {
      back = away();
    }),
  });
  await back;
  t.is(code, 0, stderr);
});
