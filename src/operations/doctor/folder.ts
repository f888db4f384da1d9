import { access, constants } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { quoted } from "../../quoted.js";
import { spaceAt } from "../../snapstore/local/space.js";
import { type AreaChecks, step } from "./check.js";
import { checkSpace } from "./space.js";

/** Checks the folder for a backup, which may not exist yet. */
export async function checkFolder(
  checks: AreaChecks,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const name = quoted(folder);
  try {
    await step(signal, () => checkWritable(resolve(folder)));
    checkSpace(checks, name, await step(signal, () => spaceAt(resolve(folder))));
  } catch (error) {
    checks.failedBy(name, error, "", "use another folder, or let this user write there", [
      "outputdir",
    ]);
  }
}

/** Checks write permission in the folder, or where it would be made. */
async function checkWritable(path: string): Promise<void> {
  for (let at = path; ; at = dirname(at)) {
    try {
      await access(at, constants.W_OK | constants.X_OK);
      return;
    } catch (error) {
      const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
      if (!missing || dirname(at) === at) throw error;
    }
  }
}
