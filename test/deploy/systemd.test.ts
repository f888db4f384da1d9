import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { newFolder } from "../support/folders.js";

const DEPLOY = fileURLToPath(new URL("../../../deploy/", import.meta.url));
const UNITS = join(DEPLOY, "systemd");
const units = readdirSync(UNITS).filter((name) => /\.(service|timer)$/.test(name));
const services = units.filter((name) => name.endsWith(".service"));

/** A root folder with the units as they are installed, and programs of the names that they start. */
function installed(): string {
  const root = newFolder();
  const etc = join(root, "etc/systemd/system");
  const bin = join(root, "usr/bin");
  mkdirSync(etc, { recursive: true });
  mkdirSync(bin, { recursive: true });
  mkdirSync(join(root, "usr/lib/systemd"), { recursive: true });
  cpSync("/lib/systemd/system", join(root, "usr/lib/systemd/system"), {
    recursive: true,
    verbatimSymlinks: true,
  });
  symlinkSync("usr/lib", join(root, "lib"));
  cpSync(UNITS, etc, { recursive: true });
  for (const name of ["backuptool", "flock", "kill", "systemctl"]) {
    writeFileSync(join(bin, name), "#!/bin/sh\n", { mode: 0o755 });
  }
  return root;
}

/** What systemd-analyze prints, and its exit code. */
function analyze(...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync("systemd-analyze", args, { encoding: "utf8" });
  return { status, output: `${stdout}${stderr}` };
}

test("systemd finds no fault in the units", (t) => {
  const root = installed();
  const { status, output } = analyze("verify", `--root=${root}`, "--man=no", ...units);
  t.is(output, "");
  t.is(status, 0);
  // The check itself finds a fault.
  const wrong = join(root, "etc/systemd/system/backuptool-wrong.service");
  writeFileSync(wrong, "[Service]\nType=oneshot\nExecStart=/usr/bin/missing\nProtectSytem=yes\n");
  t.regex(
    analyze("verify", `--root=${root}`, "--man=no", "backuptool-wrong.service").output,
    /ProtectSytem/,
  );
});

test("each service is hardened: its exposure is at most 1.5 of 10", (t) => {
  const root = installed();
  for (const name of services) {
    const options = ["--offline=yes", "--threshold=15", `--root=${root}`, "--no-pager"];
    const { status, output } = analyze("security", ...options, name);
    t.is(status, 0, output);
    t.regex(output, /exposure level for backuptool-[\w-]+\.service: (0\.\d|1\.[0-5]) OK/);
  }
});

test("each timer starts a service that there is, and makes up a missed run", (t) => {
  for (const name of units.filter((name) => name.endsWith(".timer"))) {
    t.true(services.includes(name.replace(".timer", ".service")), name);
    const text = readFileSync(join(UNITS, name), "utf8");
    t.regex(text, /^Persistent=yes$/m);
    const [, calendar = ""] = /^OnCalendar=(.*)$/m.exec(text) ?? [];
    t.is(analyze("calendar", calendar).status, 0, calendar);
  }
});

test("the user of the services is one that systemd can make", (t) => {
  const root = newFolder();
  mkdirSync(join(root, "etc/sysusers.d"), { recursive: true });
  cpSync(join(UNITS, "backuptool.sysusers"), join(root, "etc/sysusers.d/backuptool.conf"));
  const { status, stderr } = spawnSync("systemd-sysusers", [`--root=${root}`], {
    encoding: "utf8",
  });
  t.is(status, 0, stderr);
  t.regex(
    readFileSync(join(root, "etc/passwd"), "utf8"),
    /^backuptool:.*:\/var\/lib\/backuptool:/m,
  );
});
