import yargs, { type Argv, type Options } from "yargs";
import type { Declarations } from "../settings/kinds.js";

declare module "yargs" {
  // The published types are those of yargs 17.
  interface Argv {
    usageConfiguration(configuration: { "hide-types": boolean }): this;
  }
}

/** yargs for the help alone; it neither prints nor ends the process. */
export function parserOf(flags: Declarations): Argv {
  return yargs()
    .scriptName("")
    .locale("en")
    .usageConfiguration({ "hide-types": true })
    .version(false)
    .help(false)
    .exitProcess(false)
    .fail(false)
    .options(described(flags));
}

/** The values that a flag takes, and its default, as a part of its description. */
function described(flags: Declarations): Record<string, Options> {
  return Object.fromEntries(
    Object.entries(flags).map(([name, flag]) => {
      const parts = flag.choices === undefined ? [] : [flag.choices.join(", ")];
      const byDefault = [flag.default ?? []].flat().join(", ");
      if (byDefault !== "") parts.push(`default: ${byDefault}`);
      const after = parts.length === 0 ? "" : ` (${parts.join("; ")})`;
      return [name, { ...flag, describe: `${flag.describe}${after}` }];
    }),
  );
}
