import { join } from "node:path";
import test from "ava";
import { backuptool, createOfEtcd } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { originalFixture } from "../../support/original/fixtures.js";
import { ORIGINAL_PASSPHRASE } from "../../support/original/writer.js";
import { onTerminal } from "../../support/program/pty.js";

let etcd: EtcdServer;
test.before(async () => {
  etcd = await EtcdServer.start();
});
test.after.always(() => etcd?.stop());

const create = (outputdir: string) => createOfEtcd(etcd, "--outputdir", outputdir);
/** Whether the backup opens with this passphrase. */
async function opens(outputdir: string, passphrase: string): Promise<boolean> {
  const { code } = await backuptool(["inspect", "--quick", "--outputdir", outputdir], {
    env: { BACKUPTOOL_PASSPHRASE: passphrase },
  });
  return code === 0;
}
const MASKED = ["please enter the encryption passphrase: **********", "same again: **********"];

for (const [name, pasted] of [
  ["two lines", "opensesame\ropensesame\r"],
  ["two lines that end as on Windows", "opensesame\r\nopensesame\r\n"],
  ["two lines that end with line feeds", "opensesame\nopensesame\n"],
  ["more lines than are asked for", "opensesame\ropensesame\rls\rls"],
  ["a bracketed paste", "\x1b[200~opensesame\ropensesame\r\x1b[201~"],
  [
    "a bracketed paste of each line",
    "\x1b[200~opensesame\x1b[201~\r\x1b[200~opensesame\x1b[201~\r",
  ],
] as const) {
  test.serial(`each line pasted at the question answers one: ${name}`, async (t) => {
    const folder = join(newFolder(), "backup");
    const result = await onTerminal(create(folder), [
      { expect: "encryption passphrase:", type: pasted },
    ]);
    t.is(result.code, 0, result.screen.join("\n"));
    t.deepEqual(result.screen, MASKED);
    t.false(result.raw.includes("opensesame"));
    t.true(result.restored);
    t.true(await opens(folder, "opensesame"));
  });
}

test.serial("two different pasted lines do not match", async (t) => {
  const result = await onTerminal(create(join(newFolder(), "backup")), [
    { expect: "encryption passphrase:", type: "one\rother\r" },
  ]);
  t.is(result.code, 2);
  t.is(result.screen.at(-1), "backuptool: the two passphrases are not the same");
});

test.serial(
  "a pasted half of the second line waits for its other half, without echo",
  async (t) => {
    const folder = join(newFolder(), "backup");
    const result = await onTerminal(create(folder), [
      { expect: "encryption passphrase:", type: "opensesame\ropen" },
      { expect: "same again: .*\\*\\*\\*\\*", type: "sesame\r" },
    ]);
    t.is(result.code, 0, result.screen.join("\n"));
    t.deepEqual(result.screen, MASKED);
    t.false(result.raw.includes("open"));
    t.true(await opens(folder, "opensesame"));
  },
);

test.serial("a line end that comes in two parts is one line end", async (t) => {
  const folder = join(newFolder(), "backup");
  const result = await onTerminal(create(folder), [
    { expect: "encryption passphrase:", type: "opensesame\r" },
    { expect: "same again:", type: "\nopensesame\r" },
  ]);
  t.is(result.code, 0, result.screen.join("\n"));
  t.true(await opens(folder, "opensesame"));
});

test.serial("text typed before the question answers it", async (t) => {
  const folder = join(newFolder(), "backup");
  const result = await onTerminal(create(folder), [
    { expect: "", type: "opensesame\ropensesame\r" },
  ]);
  t.is(result.code, 0, result.screen.join("\n"));
  t.true(result.restored);
  t.true(await opens(folder, "opensesame"));
});

for (const [name, key] of [
  ["Ctrl-C", "\x03"],
  ["Ctrl-D", "\x04"],
] as const) {
  test.serial(`${name} pasted behind the first line ends the second question`, async (t) => {
    const result = await onTerminal(create(join(newFolder(), "backup")), [
      { expect: "encryption passphrase:", type: `opensesame\r${key}` },
    ]);
    t.is(result.code, 130);
    t.is(result.screen.at(-1), "backuptool: interrupted at the prompt");
    t.true(result.restored);
  });
}

test.serial("four lines pasted at once answer both passphrases of convert", async (t) => {
  const to = join(newFolder(), "new");
  const lines = [ORIGINAL_PASSPHRASE, ORIGINAL_PASSPHRASE, "new", "new"];
  const result = await onTerminal(
    ["convert", "--outputdir", originalFixture("intact", "incremental"), "--to", to],
    [{ expect: "encryption passphrase:", type: `${lines.join("\r")}\r` }],
  );
  t.is(result.code, 0, result.screen.join("\n"));
  t.true(result.restored);
  t.true(await opens(to, "new"));
});
