import { homedir } from "node:os";

/** A folder that does not exist, as Debian names it for users without a home. */
const NO_HOME = "/nonexistent";

/**
 * The variables of this process. What is left in `process.env`, for libraries and the programs that
 * they start, holds no passphrase and no key of a second store, and names a home.
 */
export function takeEnvironment(): Readonly<Record<string, string | undefined>> {
  const given = { ...process.env };
  for (const name of Object.keys(given)) {
    if (/^(BACKUPTOOL|SECONDARY|SOURCE)_/.test(name)) delete process.env[name];
  }
  // os.homedir() throws for a uid without a passwd entry, and libraries look there whatever they are given.
  if (!hasHome()) process.env["HOME"] = NO_HOME;
  return given;
}

function hasHome(): boolean {
  try {
    return homedir() !== "";
  } catch {
    return false;
  }
}
