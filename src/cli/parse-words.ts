import parser from "yargs-parser";
import { UsageError } from "../errors.js";
import type { Declaration, Declarations } from "../settings/kinds.js";

/** Values by the names of flags, and the other words under `_`. */
export type Parsed = Readonly<Record<string, unknown>>;

/**
 * The words after a command. Uses the parser of yargs alone: the rest of yargs takes 70 ms of CPU to load.
 *
 * @throws UsageError for a flag without its value
 */
export function parseWords(words: readonly string[], command: string, flags: Declarations): Parsed {
  const entries = Object.entries(flags);
  const names = (chosen: (flag: Declaration) => boolean): string[] =>
    entries.filter(([, flag]) => chosen(flag)).map(([name]) => name);
  const { argv, error } = parser.detailed([...words], {
    string: names(({ type }) => type === "string"),
    boolean: names(({ type }) => type === "boolean"),
    array: names(({ array }) => array === true),
    // NaN rejects a flag without a value.
    narg: Object.fromEntries(
      entries
        .filter(([, { requiresArg }]) => requiresArg)
        .map(([name, { nargs }]) => [name, nargs ?? Number.NaN]),
    ),
    configuration: {
      "camel-case-expansion": false,
      "parse-positional-numbers": false,
      "dot-notation": false,
      "greedy-arrays": false,
    },
  });
  if (error === null) return argv;
  const message = error.message
    .replace(/\s+/g, " ")
    .replace(/^Not enough arguments following: (\S+).*/, "--$1 needs a value");
  throw new UsageError(message, { cause: error, hint: `see backuptool ${command} --help` });
}
