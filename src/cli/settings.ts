import { parse } from "yaml";
import { UsageError } from "../errors.js";
import { readInputFileSync } from "../input-file.js";
import { quoted } from "../quoted.js";
import type { Flags } from "./flags.js";
import { nearest } from "./nearest.js";

const PREFIX = "BACKUPTOOL_";

/**
 * Values for a command's flags from the environment and from a configuration file, for whatever is
 * not typed. The environment goes before the file.
 *
 * @param known every flag of every command: a file may serve several
 * @throws UsageError
 */
export function settingsFor(
  flags: Flags,
  known: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  configPath: string | undefined,
): Record<string, unknown> {
  const path = configPath ?? env[`${PREFIX}CONFIG`];
  const settings: Record<string, unknown> = {};
  if (path !== undefined) {
    for (const [name, value] of Object.entries(readConfig(path))) {
      if (!known.includes(name)) {
        const near = nearest(name, known);
        throw new UsageError(`${quoted(path)} sets ${quoted(name)}, which is no flag`, {
          hint: near === undefined ? undefined : `did you mean ${near}?`,
        });
      }
      if (Object.hasOwn(flags, name)) settings[name] = checked(flags, name, value, quoted(path));
    }
  }
  for (const name of Object.keys(flags)) {
    const variable = PREFIX + name.toUpperCase().replaceAll("-", "_");
    const value = env[variable];
    if (value !== undefined) settings[name] = checked(flags, name, value, variable);
  }
  return settings;
}

function readConfig(path: string): Record<string, unknown> {
  let content: unknown;
  // Failsafe: each value is the text that stands there, so a password 007 does not become 7.
  try {
    content = parse(readInputFileSync(path).toString(), { schema: "failsafe", logLevel: "error" });
  } catch (cause) {
    throw new UsageError(`the configuration ${quoted(path)} cannot be read`, {
      cause,
      hint: cause instanceof Error ? cause.message.split("\n")[0] : undefined,
    });
  }
  if (content === null || content === undefined || content === "") return {};
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UsageError(`the configuration ${quoted(path)} is not a list of names and values`);
  }
  return Object.fromEntries(Object.entries(content));
}

/** A value as the flag wants it. */
function checked(flags: Flags, name: string, value: unknown, where: string): unknown {
  const flag = flags[name];
  if (flag?.type === "boolean") {
    if (value === "true" || value === "1") return true;
    if (value === "false" || value === "0" || value === "") return false;
    throw new UsageError(`${where}: ${name} is true or false, not ${JSON.stringify(value)}`);
  }
  if (flag?.array) {
    const list = Array.isArray(value) ? value : String(value).split(",");
    return list.map((item) => scalar(item, name, where));
  }
  return scalar(value, name, where);
}

function scalar(value: unknown, name: string, where: string): string {
  // An empty variable is more likely a mistake in a script than a wish for the default.
  if (value === "") throw new UsageError(`${where}: ${name} is empty`);
  if (typeof value === "string") return value;
  throw new UsageError(`${where}: ${name} needs one value, not ${JSON.stringify(value)}`);
}
