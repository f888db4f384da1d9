import { UsageError } from "../errors.js";
import { readInputFileSync } from "../files/input-file.js";
import { nearest } from "../nearest.js";
import { quoted } from "../quoted.js";
import { checkedValue } from "./checked-value.js";
import type { Declarations } from "./kinds.js";
import type { Setting } from "./setting.js";

/**
 * The settings in a YAML file.
 *
 * @param declarations of one command
 * @param known names of the settings of all commands: one file may configure several
 * @throws UsageError
 */
export async function settingsOfFile(
  declarations: Declarations,
  known: readonly string[],
  path: string,
): Promise<Setting[]> {
  return (await readConfig(path)).flatMap(([name, given]): Setting[] => {
    if (!known.includes(name)) {
      const near = nearest(name, known);
      throw new UsageError(`${quoted(path)} sets ${quoted(name)}, which is not a setting`, {
        hint: near && `did you mean ${near}?`,
      });
    }
    const declaration = Object.hasOwn(declarations, name) ? declarations[name] : undefined;
    if (declaration === undefined) return [];
    const value = checkedValue(name, declaration, given, quoted(path));
    return [{ name, value, source: "file", shown: `${name} of ${quoted(path)}` }];
  });
}

async function readConfig(path: string): Promise<[string, unknown][]> {
  // Loading yaml takes 45 ms of CPU, and most runs have no file.
  const { parse, YAMLParseError } = await import("yaml");
  let text: string;
  try {
    text = readInputFileSync(path).toString();
  } catch (cause) {
    throw new UsageError(`the configuration ${quoted(path)} cannot be read`, {
      cause,
      hint: cause instanceof Error ? cause.message : undefined,
    });
  }
  let content: unknown;
  // The failsafe schema keeps values as text: a password 007 does not become 7.
  try {
    content = parse(text, { schema: "failsafe", logLevel: "error", prettyErrors: false });
  } catch (cause) {
    // Neither its words nor its excerpt of the file: they may hold a password.
    const line =
      cause instanceof YAMLParseError ? text.slice(0, cause.pos[0]).split("\n").length : undefined;
    throw new UsageError(`the configuration ${quoted(path)} is not YAML`, {
      hint: line === undefined ? "is each alias defined?" : `see its line ${line}`,
    });
  }
  if (content === null || content === undefined || content === "") return [];
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new UsageError(
      `the configuration ${quoted(path)} is not a YAML mapping of names to values`,
    );
  }
  return Object.entries(content);
}
