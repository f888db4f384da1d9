import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import type { StateFolder } from "../operations/open/state-file.js";

/** `BACKUPTOOL_STATE_DIR`, else the folder that the XDG base directories give; undefined without a home. */
export function stateFolder(
  env: Readonly<Record<string, string | undefined>>,
): StateFolder | undefined {
  const named = env["BACKUPTOOL_STATE_DIR"];
  if (named) return { path: resolve(named), named: true };
  const state = env["XDG_STATE_HOME"];
  // The specification ignores relative paths.
  if (state && isAbsolute(state)) return { path: join(state, "backuptool"), named: false };
  const home = env["HOME"] || homeOfUser();
  // A home that is not there is not made: `/nonexistent` is one.
  if (!home || !isAbsolute(home) || !existsSync(home)) return undefined;
  return { path: join(home, ".local", "state", "backuptool"), named: false };
}

function homeOfUser(): string | undefined {
  try {
    return homedir();
  } catch {
    // A uid without a passwd entry.
    return undefined;
  }
}
