import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import { BackupToolError } from "../../../src/errors.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { inQuarantine } from "../../../src/operations/members/quarantine.js";
import { EtcdError } from "../../../src/sources/etcd/errors.js";
import { EtcdQuarantine, QUARANTINE_ROLE } from "../../../src/sources/etcd/quarantine.js";
import { newFolder } from "../../support/folders.js";
import { backuptool, createOfEtcd } from "../../support/program/backuptool.js";
import { EtcdFront } from "../../support/servers/etcd-front.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

const ROOT = "root:the password";
const { signal } = new AbortController();

async function start(t: ExecutionContext): Promise<EtcdServer> {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  return etcd;
}

/** A backup of one key. */
async function backup(etcd: EtcdServer): Promise<string> {
  await etcd.ctl("put", "key", "value");
  const folder = join(newFolder(), "backup");
  await backuptool(createOfEtcd(etcd, "--outputdir", folder));
  return folder;
}

const restore = (etcd: EtcdServer, folder: string, ...flags: string[]) =>
  backuptool(["restore", "--skip-ceph", "--outputdir", folder, "--etcd", etcd.endpoint, ...flags]);

const isOpen = (etcd: EtcdServer) =>
  etcd.ctl("get", "key").then(
    () => true,
    (error) => !/user name is empty/.test(String(error)),
  );

/** Nothing of a quarantine is left. */
async function isAsBefore(t: ExecutionContext, etcd: EtcdServer): Promise<void> {
  t.true(await isOpen(etcd));
  t.is(await etcd.ctl("user", "list"), "");
  t.is(await etcd.ctl("role", "list"), "");
}

/** Restores in quarantine, and tries as a client to get in while it is. */
async function restoreTrying(etcd: EtcdServer, folder: string, ...flags: string[]) {
  let keptOut = false;
  const result = await backuptool(
    [
      ...["restore", "--skip-ceph", "--outputdir", folder, "--etcd", etcd.endpoint],
      ...["--etcd-quarantine", "--user", ROOT, ...flags],
    ],
    {
      onStart: (child) =>
        child.stderr?.on("data", (bytes: Buffer) => {
          if (!/is in quarantine/.test(bytes.toString())) return;
          child.kill("SIGSTOP");
          isOpen(etcd).then((open) => {
            keptOut = !open;
            child.kill("SIGCONT");
          });
        }),
    },
  );
  return { ...result, keptOut };
}

test("clients are kept out while a backup is restored, and let in again", async (t) => {
  const etcd = await start(t);
  const folder = await backup(etcd);
  await etcd.ctl("del", "key");
  const { code, stderr, keptOut } = await restoreTrying(etcd, folder);
  t.is(code, 0, stderr);
  t.true(keptOut);
  t.regex(stderr, /the quarantine is lifted/);
  await isAsBefore(t, etcd);
  t.is(await etcd.ctl("get", "key", "--print-value-only"), "value\n");
});

test("clients are kept out while a moment is restored, and let in again", async (t) => {
  const etcd = await start(t);
  await etcd.ctl("put", "key", "early");
  const revision = await etcd.revision();
  await etcd.ctl("put", "key", "late");
  const folder = join(newFolder(), "backup");
  await backuptool(createOfEtcd(etcd, "--outputdir", folder, "--etcd-mode", "raw"));
  await etcd.ctl("del", "key");
  for (const [value, ...moment] of [
    ["early", "--target-revision", `${revision}`],
    ["late", "--target-time", new Date().toISOString()],
  ]) {
    const { code, stderr, keptOut } = await restoreTrying(etcd, folder, ...moment);
    t.is(code, 0, stderr);
    t.true(keptOut);
    t.regex(stderr, /the quarantine is lifted/);
    await isAsBefore(t, etcd);
    t.is(await etcd.ctl("get", "key", "--print-value-only"), `${value}\n`);
  }
  // What cannot be restored keeps nobody out.
  const none = await restoreTrying(etcd, folder, "--target-revision", "1000000");
  t.is(none.code, 1, none.stderr);
  t.regex(none.stderr, /does not hold revision 1000000/);
  await isAsBefore(t, etcd);
});

test("a quarantine of a killed run is resumed and lifted by the next run, by its command, or by hand", async (t) => {
  const etcd = await start(t);
  const folder = await backup(etcd);
  const restoreAndKill = () =>
    backuptool(
      [
        ...["restore", "--skip-ceph", "--outputdir", folder, "--etcd", etcd.endpoint],
        ...["--etcd-quarantine", "--user", ROOT],
      ],
      {
        onStart: (child) =>
          child.stderr?.on("data", (bytes: Buffer) => {
            if (/is in quarantine/.test(bytes.toString())) child.kill("SIGKILL");
          }),
      },
    );
  /** On a busy machine, a run may have ended its quarantine before it is killed. */
  const killed = async () => {
    for (let tries = 1; ; tries++) {
      const { signal: fatal } = await restoreAndKill();
      if (fatal === "SIGKILL" && !(await isOpen(etcd))) return;
      if (tries === 20) throw new Error("no run was killed in its quarantine");
    }
  };
  await killed();
  t.false(await isOpen(etcd));
  const wrong = await restore(etcd, folder, "--etcd-quarantine", "--user", "root:another");
  t.not(wrong.code, 0);
  t.false(await isOpen(etcd));
  const next = await restore(etcd, folder, "--etcd-quarantine", "--user", ROOT);
  t.is(next.code, 0, next.stderr);
  t.regex(next.stderr, /since a run that did not end(.|\n)*lifted/);
  await isAsBefore(t, etcd);

  await killed();
  const lift = ["etcd", "lift-quarantine", "--etcd", etcd.endpoint, "--user", ROOT];
  const lifted = await backuptool(lift);
  t.is(lifted.code, 0, lifted.stderr);
  await isAsBefore(t, etcd);
  t.regex((await backuptool(lift)).stderr, /in no quarantine/);

  await killed();
  await etcd.ctl("--user", ROOT, "auth", "disable");
  t.true(await isOpen(etcd));
  t.is((await backuptool(lift)).code, 0);
  await isAsBefore(t, etcd);
});

test("a quarantine that ends between any two of its steps is begun again, or lifted", async (t) => {
  const etcd = await start(t);
  const options = { endpoints: [etcd.endpoint], user: ROOT };
  const steps = [
    ["role", "add", QUARANTINE_ROLE],
    ["user", "add", ROOT],
    ["user", "grant-role", "root", QUARANTINE_ROLE],
    ["user", "grant-role", "root", "root"],
    ["auth", "enable"],
  ];
  for (let done = 0; done <= steps.length; done++) {
    for (const again of [true, false]) {
      for (const step of steps.slice(0, done)) await etcd.ctl(...step);
      const quarantine = await EtcdQuarantine.open(options, signal);
      if (again) {
        t.deepEqual(await quarantine.begin(signal), { resumed: done === steps.length });
        t.false(await isOpen(etcd));
      }
      t.is(await quarantine.lift(signal), again || done > 0);
      quarantine.close();
      await isAsBefore(t, etcd);
    }
  }
});

test("authentication that the operator has enabled stays, also where a killed run has left its mark", async (t) => {
  const root = ["user", "grant-role", "root", "root"];
  const mark = ["user", "grant-role", "root", QUARANTINE_ROLE];
  const alice = ["user", "add", "alice:secret"];
  for (const operator of [[root], [root, alice], [mark, root, alice]]) {
    const etcd = await start(t);
    await etcd.ctl("role", "add", QUARANTINE_ROLE);
    await etcd.ctl("user", "add", ROOT);
    for (const step of operator) await etcd.ctl(...step);
    await etcd.ctl("auth", "enable");
    const users = await etcd.ctl("--user", ROOT, "user", "list");
    const quarantine = await EtcdQuarantine.open(
      { endpoints: [etcd.endpoint], user: ROOT },
      signal,
    );
    await t.throwsAsync(quarantine.begin(signal), {
      code: "ETCD_QUARANTINE",
      message: /its users keep their permissions/,
    });
    await t.throwsAsync(quarantine.lift(signal), {
      code: "ETCD_QUARANTINE",
      message: /not by a quarantine: its users are .*"root"/,
    });
    t.false(quarantine.mayKeepOut);
    quarantine.close();
    t.false(await isOpen(etcd));
    t.is(await etcd.ctl("--user", ROOT, "user", "list"), users);
    await etcd.stop();
  }
});

test("a run that begins to write twice is in one quarantine", async (t) => {
  const etcd = await start(t);
  const states: string[] = [];
  const report = (event: OperationEvent) => {
    if (event.type === "etcd-quarantine") states.push(event.state);
  };
  const options = { endpoints: [etcd.endpoint], user: ROOT };
  await inQuarantine(options, { signal, report }, async (begin) => {
    await begin();
    await begin();
  });
  t.deepEqual(states, ["begun", "lifted"]);
  await isAsBefore(t, etcd);
});

test("a run that fails after clients may have been kept out says how they get in", async (t) => {
  const etcd = await start(t);
  const fails = async (
    lost: string,
    late: boolean,
    work: (begin: () => Promise<void>) => unknown,
  ) => {
    const front = await EtcdFront.start(etcd.endpoint, ({ method }) =>
      method === lost ? { details: "lost", late } : undefined,
    );
    const { endpoint } = front;
    const context = { signal, report: () => {} };
    const running = inQuarantine({ endpoints: [endpoint], user: ROOT }, context, async (begin) =>
      work(begin),
    );
    const error = await t.throwsAsync(running, { instanceOf: BackupToolError });
    front.stop();
    return error?.hint ?? "";
  };
  t.regex(await fails("Auth/AuthEnable", true, (begin) => begin()), /lift-quarantine/);
  t.false(await isOpen(etcd));
  t.regex(await fails("Auth/AuthDisable", false, (begin) => begin()), /lift-quarantine/);
  t.false(await isOpen(etcd));
  const quarantine = await EtcdQuarantine.open({ endpoints: [etcd.endpoint], user: ROOT }, signal);
  t.true(await quarantine.lift(signal));
  quarantine.close();
  t.notRegex(await fails("Auth/RoleAdd", false, (begin) => begin()), /lift-quarantine/);
  await isAsBefore(t, etcd);
});

test("where clients cannot be kept out it says so, and neither etcd nor its users are changed", async (t) => {
  const etcd = await start(t);
  const folder = await backup(etcd);
  const without = await restore(etcd, folder, "--etcd-quarantine");
  t.is(without.code, 2);
  t.regex(without.stderr, /needs a user root and a password/);
  const tries = async (why: RegExp) => {
    const before = await etcd.revision();
    const { code, stderr } = await restore(etcd, folder, "--etcd-quarantine", "--user", ROOT);
    t.is(code, 1);
    t.regex(stderr, why);
    t.is(await etcd.revision(), before);
    t.true(await isOpen(etcd));
  };
  await etcd.ctl("user", "add", "alice:secret");
  await tries(/cannot be kept in quarantine: it has the users "alice"/);
  await etcd.ctl("user", "delete", "alice");
  await etcd.ctl("user", "add", "root:unknown");
  await tries(/cannot be kept in quarantine: it has a user root/);
  await etcd.ctl("user", "grant-role", "root", "root");
  await etcd.ctl("auth", "enable");
  const known = { endpoints: [etcd.endpoint], user: "root:unknown" };
  const quarantine = await EtcdQuarantine.open(known, signal);
  await t.throwsAsync(quarantine.begin(signal), {
    code: "ETCD_QUARANTINE",
    message: /its users keep their permissions/,
  });
  await t.throwsAsync(quarantine.lift(signal), { code: "ETCD_QUARANTINE" });
  quarantine.close();
  const denied = EtcdQuarantine.open({ endpoints: [etcd.endpoint], user: ROOT }, signal);
  await t.throwsAsync(denied, { instanceOf: EtcdError, code: "ETCD_AUTH" });
});
