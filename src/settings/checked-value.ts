import { UsageError } from "../errors.js";
import { quoted } from "../quoted.js";
import type { Declaration } from "./kinds.js";
import type { SettingValue } from "./setting.js";

/** The value of a variable or of a key in a file, in the shape that the setting needs. @throws UsageError */
export function checkedValue(
  name: string,
  { type, array }: Declaration,
  value: unknown,
  where: string,
): SettingValue {
  if (type === "boolean") {
    if (value === "true" || value === "1") return true;
    if (value === "false" || value === "0" || value === "") return false;
    throw new UsageError(`${where}: ${name} is true or false, not ${JSON.stringify(value)}`);
  }
  if (array !== true) return text(value, name, where);
  // Items of a YAML list stay as they are: the name of a folder may have a comma or end with a space.
  const items = Array.isArray(value) ? value : separated(value, name, where);
  return items.map((item) => text(item, name, where));
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

function text(value: unknown, name: string, where: string): string {
  // An empty variable is more likely a mistake in a script than a request for the default.
  if (value === "") throw new UsageError(`${where}: ${name} is empty`);
  if (typeof value === "string") return value;
  // Not the value itself: it may be a password.
  throw new UsageError(`${where}: ${name} needs one value, not a list or a map`);
}
