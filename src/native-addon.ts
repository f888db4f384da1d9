import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Loads an addon of binding.gyp by its target's name; throws when it is not built or does not load. */
export function loadAddon(name: string): unknown {
  const file = join("build", "Release", `${name}.node`);
  const root = packageRoot();
  if (root === undefined || !existsSync(join(root, file))) throw new Error(`${file} is not there`);
  return createRequire(import.meta.url)(join(root, file));
}

/** The package's root is where binding.gyp stands, wherever the compiled file was put. */
function packageRoot(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "binding.gyp"))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/** Whether `value` has a function under each of the names: a check of an addon before its type is believed. */
export function hasFunctions<Name extends string>(
  value: unknown,
  names: readonly Name[],
): value is Record<Name, { readonly prototype: unknown }> {
  if (typeof value !== "object" || value === null) return false;
  return names.every((name) => typeof Reflect.get(value, name) === "function");
}
