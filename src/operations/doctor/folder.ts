import { access, constants } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { quoted } from "../../quoted.js";
import { spaceAt } from "../../snapstore/local/space.js";
import type { AreaChecks } from "./check.js";
import { checkSpace } from "./space.js";
import { STEP_MS, within } from "./within.js";

/** The folder that a backup would be written to, which need not be there yet. */
export async function checkFolder(
  checks: AreaChecks,
  folder: string,
  signal: AbortSignal,
): Promise<void> {
  const name = quoted(folder);
  try {
    await within(STEP_MS, signal, () => mayWrite(resolve(folder)));
    checkSpace(checks, name, await within(STEP_MS, signal, () => spaceAt(resolve(folder))));
  } catch (error) {
    checks.failedBy(name, error, "", "use another folder, or let this user write there", [
      "outputdir",
    ]);
  }
}

/** In the folder, or where it would be made. */
async function mayWrite(path: string): Promise<void> {
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
