import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import test from "ava";
import { candidates } from "../../../src/cli/completion/candidates.js";
import { backuptool, lines, PROGRAM } from "../../support/program/backuptool.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";
import { forgeStream } from "../../support/stores/forged-streams.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";

/** A folder with `backuptool` in it, for PATH. */
const bin = newFolder();
/** The current folder of the shells: a file and two folders. */
const cwd = newFolder();
const store = join(cwd, "store");
let older: string;
let newer: string;

test.before(() => {
  chmodSync(PROGRAM, 0o755);
  symlinkSync(PROGRAM, join(bin, "backuptool"));
  writeFileSync(join(cwd, "settings.yaml"), "");
  mkdirSync(join(cwd, "my backup"));
  mkdirSync(store);
  older = forgeSnapshot(store, { time: 1_700_000_000 }).name;
  newer = forgeSnapshot(store, { time: 1_700_003_600 }).name;
});

/** What bash completes the last word of each line to. */
async function completed(
  typed: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  const script = `
    PATH=${bin}:$PATH
    source <(backuptool completion bash)
    for line in "$@"; do
      COMP_LINE=$line COMP_POINT=\${#line} COMPREPLY=()
      _backuptool
      echo "\${COMPREPLY[*]}"
    done`;
  const { stdout, stderr } = await runProcess("bash", ["-c", script, "bash", ...typed], {
    cwd,
    env,
  });
  if (stderr !== "") throw new Error(stderr);
  return stdout.toString().split("\n").slice(0, -1);
}

async function check(
  t: { deepEqual(actual: unknown, expected: unknown): void },
  expected: Readonly<Record<string, string>>,
): Promise<void> {
  const typed = Object.keys(expected);
  const found = await completed(typed.map((line) => `backuptool ${line}`));
  t.deepEqual(Object.fromEntries(typed.map((line, i) => [line, found[i]])), expected);
}

test("bash completes commands and their second words", async (t) => {
  await check(t, {
    re: "restore",
    "--v": "--version",
    "snapshot ": "list verify delete hold release prune-incomplete",
    "snapshot ver": "verify",
    "completion ": "bash zsh",
    "nonsense ": "",
  });
});

test("bash completes the flags of the command, and those with one value only once", async (t) => {
  await check(t, {
    "create --out": "--outputdir",
    "create --outputdir x --out": "",
    "create --outputdir=x --out": "",
    "create --include-pool x --incl": "--include-pool",
    "restore --outputdir --le": "",
    "restore --le": "--leases",
    "inspect --restore": "",
    "inspect --he": "--help",
  });
});

test("bash completes the values of flags, after a blank and after =", async (t) => {
  await check(t, {
    "restore --leases k": "keep-forever",
    "restore --leases=k": "keep-forever",
    "create --storage-provider S": "S3 Swift",
    "create --secondary-storage-provider R": "Rclone",
    "copy --source-store g": "gs://",
    // A colon ends a word in bash.
    "create --store s3:": "//",
    "create --compression-level ": "",
  });
});

test("bash completes files and folders where a flag takes a path", async (t) => {
  await check(t, {
    "create --config s": "settings.yaml store",
    "create --config=se": "settings.yaml",
    "create --outputdir ": "my backup store",
    "create --outputdir=st": "store",
    [`create --store file://${cwd}/st`]: `//${cwd}/store`,
  });
});

test("snapshots of the store on the line, in a variable or in a file are candidates", async (t) => {
  const config = join(newFolder(), "config.yaml");
  writeFileSync(config, `secondary-store: file://${store}\n`);
  const url = `file://${store}`;
  const [names, none] = [[newer, older], { env: {} }];
  for (const [line, expected, { env }] of [
    [`snapshot delete --store ${url} `, names, none],
    [`snapshot verify --store ${url} `, ["latest", ...names], none],
    [`snapshot verify ${newer} --store ${url} --read-data-`, ["--read-data-subset"], none],
    [`restore --store ${url} --snapshot ${newer.slice(0, -3)}`, [newer], none],
    [`create --store=${url} --incremental-over=l`, ["--incremental-over=latest"], none],
    [`inspect --from secondary --secondary-store ${url} --snapshot F`, names, none],
    ["snapshot delete ", names, { env: { BACKUPTOOL_STORE: url } }],
    [`snapshot delete --from secondary --config ${config} `, names, none],
    ["create --incremental-over m", [":folders"], none],
    ["snapshot delete --store nonsense://b --fr", ["--from"], none],
    ["inspect --store file:///none --snapshot ", ["latest"], none],
  ] as const) {
    // Longer than the limit of the program: this machine may be busy.
    t.deepEqual(await candidates(line.split(" "), env, 600_000), expected, line);
  }
});

test("streams of deltas are candidates where their names can be typed", async (t) => {
  const folder = newFolder();
  const snapshot = forgeSnapshot(folder, { time: 1_700_000_000 }).name;
  const written = new LocalStore({ provider: "Local", container: folder, prefix: "" });
  const begun = await forgeStream(written, { first: 6, time: 1_700_000_100, base: 1000 });
  const later = await forgeStream(written, { first: 9, time: 1_700_000_200 });
  await written.close();
  const [base, stream] = [begun.name.text, later.name.text];
  const url = `file://${folder}`;
  for (const [line, expected] of [
    [`snapshot delete --store ${url} `, [snapshot, stream, base]],
    [`snapshot verify --store ${url} `, ["latest", snapshot, stream, base]],
    [`snapshot hold --store ${url} Et`, [stream, base]],
    [`snapshot release --store ${url} ${stream.slice(0, -2)}`, [stream]],
    [`restore --store ${url} --snapshot E`, [base]],
    [`etcd restore-founder --store ${url} --snapshot `, ["latest", snapshot, base]],
    [`inspect --store ${url} --snapshot `, ["latest", snapshot]],
    [`create --store=${url} --incremental-over=E`, []],
  ] as const) {
    t.deepEqual(await candidates(line.split(" "), {}, 600_000), expected, line);
  }
});

test("completion does not wait for a store that does not answer", async (t) => {
  const silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  const address = silent.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const started = performance.now();
  const { code, stdout, stderr } = await backuptool(
    [
      "__complete",
      "snapshot",
      "verify",
      "--store",
      "s3://b",
      "--store-endpoint-override",
      `http://127.0.0.1:${address.port}`,
      "",
    ],
    { env: { AWS_ACCESS_KEY_ID: "id", AWS_SECRET_ACCESS_KEY: "secret" } },
  );
  silent.close();
  t.deepEqual({ code, stderr, found: lines(stdout) }, { code: 0, stderr: "", found: ["latest"] });
  // Time for a busy machine, but less than all retries of the store.
  t.true(performance.now() - started < 30_000);
});

const zsh = spawnSync("zsh", ["--version"]).status === 0 ? test : test.skip;
zsh("zsh completes what bash completes (skipped where there is no zsh)", async (t) => {
  const script = `
    PATH=${bin}:$PATH
    zmodload zsh/zpty
    zpty z zsh -f -i
    zpty -w z "PS1=; bindkey -e; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source <(backuptool completion zsh); echo RE''ADY"
    zpty -r z shown '*READY*'
    for line in "$@"; do
      zpty -n -w z "backuptool $line"$'\\t\\C-aecho "<\\C-e>"\\n'
      zpty -r z shown $'*\\n*<*>*\\n' && print -r -- "\${\${shown##*<}%%>*}"
    done
    zpty -d z`;
  const typed = [
    "insp",
    "restore --lea",
    "restore --leases k",
    "create --config se",
    "create --store s3:",
  ];
  const complete = async (): Promise<string[]> => {
    const { stdout } = await runProcess("zsh", ["-f", "-c", script, "zsh", ...typed], { cwd });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: moves of the cursor
    const shown = stdout.toString().replace(/\x1b\[\d+[CD]/g, "");
    return shown.trimEnd().split("\n");
  };
  const expected = [
    "backuptool inspect",
    "backuptool restore --leases",
    "backuptool restore --leases keep-forever",
    "backuptool create --config settings.yaml",
    "backuptool create --store s3://",
  ];
  let shown = await complete();
  // On a busy machine zsh may draw what is typed ahead between the lines.
  for (let i = 0; i < 4 && shown.join() !== expected.join(); i++) shown = await complete();
  t.deepEqual(shown, expected);
});
