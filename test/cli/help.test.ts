import test from "ava";
import { parseArguments } from "../../src/cli/arguments.js";
import { COMMANDS, findCommand } from "../../src/cli/commands.js";
import type { Command } from "../../src/cli/command.js";
import { commonSettings } from "../../src/settings/declarations.js";
import { commandHelp, programHelp } from "../../src/cli/help.js";

async function load(name: string): Promise<Command> {
  const command = await findCommand(name.split(" "));
  if (command === undefined) throw new Error(`no command ${name}`);
  return command;
}

/** The lines under a heading. */
function section(help: string, heading: string): string[] {
  const [, after = ""] = help.split(`\n${heading}:\n`);
  return (after.split("\n\n")[0] ?? "").split("\n");
}

for (const { name } of COMMANDS) {
  test(`the help of ${name} fits 80 columns, in a pipe and on a wider terminal`, async (t) => {
    const command = await load(name);
    for (const columns of [undefined, 80, 200]) {
      const lines = (await commandHelp(command, columns)).split("\n");
      t.deepEqual(
        lines.filter((line) => line.length > 80),
        [],
      );
    }
  });

  test(`the help of ${name} lists each flag once, under its heading`, async (t) => {
    const command = await load(name);
    const help = await commandHelp(command);
    const listed = [...help.matchAll(/^ {2}--([\w-]+)/gm)].map(([, flag]) => flag);
    const flags = Object.keys({ ...command.flags, ...commonSettings });
    t.deepEqual(listed, [...flags, "help", "version"]);
    for (const [heading, group] of Object.entries({ ...command.groups, General: commonSettings })) {
      const lines = section(help, heading);
      for (const flag of Object.keys(group)) t.true(lines.some((line) => line.includes(flag)));
    }
    t.notRegex(help, /Options:|undefined/);
  });

  test(`the help of ${name} ends with examples that parse`, async (t) => {
    const command = await load(name);
    const [, examples = ""] = (await commandHelp(command)).split("Examples:\n");
    const unfolded = examples.replace(/ \\\n +/g, " ");
    const typed = [...unfolded.matchAll(/backuptool ([^|)\n]*)/g)].map(([, line = ""]) => line);
    t.is(typed.length, command.examples.length);
    for (const line of typed) {
      const words = line.trim().split(" ").slice(name.split(" ").length);
      await t.notThrowsAsync(parseArguments(words, command, {}), line);
    }
  });
}

test("the values of a flag and its default are in its description", async (t) => {
  const help = (await commandHelp(await load("create"))).replace(/\n {10,}/g, " ");
  t.regex(help, /--etcd +[^\n]*\(default: 127\.0\.0\.1:2379\)\n/);
  t.regex(help, /--kdf +[^\n]*\(low-memory, moderate, sensitive; default: moderate\)\n/);
  t.regex(help, /--outputdir +[^\n]*\(default: backup\.dir\)\n/);
});

test("the help of the program has a line for each command and fits 80 columns", async (t) => {
  for (const columns of [undefined, 80, 200]) {
    const lines = (await programHelp(COMMANDS, columns)).split("\n");
    t.deepEqual(
      lines.filter((line) => line.length > 80),
      [],
    );
    for (const { name, describe } of COMMANDS) {
      t.true(lines.some((line) => line.startsWith(`  ${name} `) && line.endsWith(describe)));
    }
  }
});
