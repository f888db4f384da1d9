import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Loads an addon by the name of its target in binding.gyp. Throws when it is not built or does not load. */
export function loadAddon(name: string): unknown {
  const file = join("build", "Release", `${name}.node`);
  const root = packageRoot();
  if (root === undefined || !existsSync(join(root, file))) throw new Error(`${file} is not there`);
  return createRequire(import.meta.url)(join(root, file));
}

/** The folder of binding.gyp: above this file, wherever it was compiled to. */
function packageRoot(): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (existsSync(join(folder, "binding.gyp"))) return folder;
    if (dirname(folder) === folder) return undefined;
  }
}

/** Whether an addon has all of these functions. */
export function hasFunctions(addon: unknown, names: readonly string[]): addon is object {
  if (typeof addon !== "object" || addon === null) return false;
  return names.every((name) => typeof Reflect.get(addon, name) === "function");
}
