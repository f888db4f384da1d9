import { homedir } from "node:os";

/** The home of users without one, as in Debian; it does not exist. */
const NO_HOME = "/nonexistent";

/**
 * Returns the variables of this process, and leaves in `process.env`, for libraries and the programs that they start,
 * no passphrase and no key of a second store, and always a home.
 */
export function takeEnvironment(): Readonly<Record<string, string | undefined>> {
  const given = { ...process.env };
  for (const name of Object.keys(given)) {
    if (/^(BACKUPTOOL|SECONDARY|SOURCE)_/.test(name)) delete process.env[name];
  }
  // os.homedir() throws for a uid without a passwd entry, and libraries call it even if they do not need it.
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
