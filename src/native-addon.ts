import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as Zstd from "zstd-napi/binding.js";
import { BackupToolError } from "./errors.js";

/** The root of the package, seen from dist/src/. */
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const require = createRequire(import.meta.url);
/** It ships no types. `resolve` throws where no prebuilt file fits this machine. */
const prebuilt = require("node-gyp-build") as { resolve(folder: string): string };

/** Loads an addon of binding.gyp, compiled here or prebuilt; throws when there is none or it does not load. */
export function loadAddon(name: "chunk_cipher" | "process_end" | "rados"): unknown {
  const compiled = join(ROOT, "build", "Release", `${name}.node`);
  return require(existsSync(compiled) ? compiled : prebuilt.resolve(join(ROOT, "addons", name)));
}

/** Loads the addon of zstd-napi: the one compiled in that package, else the prebuilt one of this package. */
export function loadZstd(): typeof Zstd {
  const errors: unknown[] = [];
  try {
    return require("zstd-napi/binding.js") as typeof Zstd;
  } catch (error) {
    // Not installed, or installed without its scripts.
    errors.push(error);
  }
  try {
    return require(prebuilt.resolve(join(ROOT, "addons", "zstd"))) as typeof Zstd;
  } catch (error) {
    throw new BackupToolError("ZSTD_UNAVAILABLE", "no build of zstd fits this machine", {
      cause: new AggregateError([...errors, error]),
      hint: "install g++, make and python3, then zstd-napi beside backuptool with npm",
    });
  }
}

/** Whether an addon has all of these functions. */
export function hasFunctions(addon: unknown, names: readonly string[]): addon is object {
  if (typeof addon !== "object" || addon === null) return false;
  return names.every((name) => typeof Reflect.get(addon, name) === "function");
}
