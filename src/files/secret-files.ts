import { statSync } from "node:fs";
import { quoted } from "../quoted.js";

/** Takes what the user should hear of, and what goes on all the same. */
export type Warn = (message: string) => void;

/** The group is not meant: a service reads what root owns by its group, and a Kubernetes volume can be made so. */
const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;

/** Warns of a file with a secret that every user of the machine may read or change. */
export function warnIfOpenToOthers(what: string, path: string | undefined, warn: Warn): void {
  if (path === undefined) return;
  // What cannot be read is told of by whoever reads it. A pipe has no other readers.
  const mode = fileMode(path);
  if (mode === undefined) return;
  if ((mode & (OTHERS_READ | OTHERS_WRITE)) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  warn(
    `${what} ${quoted(path)} has mode ${octal}: every user of this machine may ${mode & OTHERS_READ ? "read" : "change"} it; take that right away (chmod o= FILE; in Kubernetes, defaultMode of the volume)`,
  );
}

function fileMode(path: string): number | undefined {
  try {
    const stats = statSync(path);
    return stats.isFile() ? stats.mode : undefined;
  } catch {
    return undefined;
  }
}
