import { UsageError } from "../errors.js";
import { readInputFileSync } from "../files/input-file.js";
import { quoted } from "../quoted.js";
import type { Flags } from "./flags.js";
import { PASSPHRASE_VARIABLES } from "./contradictions.js";
import type { Setting } from "./setting.js";
import { flagOf, variableOf } from "../snapstore/settings/roles.js";
import { nearest } from "../nearest.js";

type Environment = Readonly<Record<string, string | undefined>>;

const PREFIX = "BACKUPTOOL_";

/** etcd-backup-restore's names of variables for some of the flags. */
const BORROWED = (["primary", "secondary", "source"] as const).flatMap((role) => [
  {
    variable: variableOf(role, "STORAGE_PROVIDER"),
    name: flagOf(role, "storage-provider"),
  },
  {
    variable: variableOf(role, "STORAGE_CONTAINER"),
    name: flagOf(role, "store-container"),
  },
]);

/** What the environment says of a command's flags. @throws UsageError */
export function settingsOfEnvironment(flags: Flags, env: Environment): Setting[] {
  const source = "environment";
  const settings: Setting[] = [];
  for (const name of Object.keys(flags)) {
    const variable = PREFIX + name.toUpperCase().replaceAll("-", "_");
    const given = env[variable];
    if (given === undefined) continue;
    settings.push({
      name,
      source,
      shown: variable,
      value: checked(flags, name, given, variable),
    });
  }
  for (const { name, variable } of BORROWED) {
    const value = env[variable];
    // Empty is unset for that tool.
    if (value === undefined || value === "" || !Object.hasOwn(flags, name)) continue;
    if (settings.some((setting) => setting.name === name)) continue;
    settings.push({ name, value, source, shown: variable, borrowed: variable });
  }
  for (const { name, variable, besides } of PASSPHRASE_VARIABLES) {
    const value = env[variable];
    if (value === undefined || !Object.hasOwn(flags, besides)) continue;
    settings.push({ name, value, source, shown: variable });
  }
  return settings;
}

/**
 * What the configuration file says of a command's flags.
 *
 * @param known every flag of every command: a file may serve several
 * @throws UsageError
 */
export async function settingsOfFile(
  flags: Flags,
  known: readonly string[],
  path: string | undefined,
): Promise<Setting[]> {
  if (path === undefined) return [];
  return Object.entries(await readConfig(path)).flatMap(([name, given]): Setting[] => {
    if (!known.includes(name)) {
      const near = nearest(name, known);
      throw new UsageError(`${quoted(path)} sets ${quoted(name)}, which is no flag`, {
        hint: near === undefined ? undefined : `did you mean ${near}?`,
      });
    }
    if (!Object.hasOwn(flags, name)) return [];
    const value = checked(flags, name, given, quoted(path));
    return [{ name, value, source: "file", shown: `${name} of ${quoted(path)}` }];
  });
}

/** The path of the configuration file: typed, or in `BACKUPTOOL_CONFIG`. */
export function configPath(given: string | undefined, env: Environment): string | undefined {
  return given ?? env[`${PREFIX}CONFIG`];
}

/** The environment without the variables of stores that something else replaces. */
export function withoutReplaced(env: Environment, kept: readonly Setting[]): Environment {
  const replaced = BORROWED.filter(
    ({ variable }) => !kept.some(({ borrowed }) => borrowed === variable),
  );
  const variables: readonly string[] = replaced.map(({ variable }) => variable);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !variables.includes(name)));
}

async function readConfig(path: string): Promise<Record<string, unknown>> {
  // Its 72 files take 45 ms of CPU to load, which most runs need not spend.
  const { parse } = await import("yaml");
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
    // An item of a YAML list is as it stands there: a folder's name may have a comma or a space at its end.
    const list = Array.isArray(value) ? value : separated(value, name, where);
    return list.map((item) => scalar(item, name, where));
  }
  return scalar(value, name, where);
}

/** The items of `a, b`. */
function separated(value: unknown, name: string, where: string): unknown[] {
  if (typeof value !== "string") return [value];
  const items = value.split(",").map((item) => item.trim());
  if (items.length > 1 && items.includes("")) {
    throw new UsageError(`${where}: ${name} has an empty item in ${quoted(value)}`);
  }
  return items;
}

function scalar(value: unknown, name: string, where: string): string {
  // An empty variable is more likely a mistake in a script than a wish for the default.
  if (value === "") throw new UsageError(`${where}: ${name} is empty`);
  if (typeof value === "string") return value;
  throw new UsageError(`${where}: ${name} needs one value, not ${JSON.stringify(value)}`);
}
