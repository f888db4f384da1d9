import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { env } from "./program/backuptool.js";

/** A new folder; all of them go when the test run ends. */
export function newFolder(): string {
  return mkdtempSync(join(env("BACKUPTOOL_TEST_FOLDER"), "t-"));
}
