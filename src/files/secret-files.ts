import { statSync } from "node:fs";
import { quoted } from "../quoted.js";

/**
 * Reports something that does not stop the run.
 *
 * @param settings names of the settings that it is about
 */
export type Warn = (message: string, settings?: readonly string[]) => void;

/** The group may have access: services and Kubernetes volumes use it to read files of root. */
const OTHERS_READ = 0o004;
const OTHERS_WRITE = 0o002;

/** Warns of a file with a secret that every user of the machine may read or change. */
export function warnIfOpenToOthers(what: string, path: string | undefined, warn: Warn): void {
  if (path === undefined) return;
  // A missing file is an error where it is read. A pipe has no other readers.
  const mode = fileMode(path);
  if (mode === undefined) return;
  if ((mode & (OTHERS_READ | OTHERS_WRITE)) === 0) return;
  const octal = (mode & 0o777).toString(8).padStart(4, "0");
  warn(
    `${what} ${quoted(path)} has mode ${octal}: every user of this machine may ${mode & OTHERS_READ ? "read" : "change"} it; remove that permission (chmod o= FILE; in Kubernetes, defaultMode of the volume)`,
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
