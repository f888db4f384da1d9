/** Takes the pictures of the status page for the documentation: `npm run screenshots`. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { renderPage } from "../../../src/server/page/page.js";
import type { ServerStatus } from "../../../src/server/status.js";
import { DESKTOP_DARK, DESKTOP_LIGHT, openBrowser, PHONE, type View } from "./browser.js";
import { healthyStatus, troubledStatus } from "./sample-status.js";

const FOLDER =
  process.argv[2] ?? fileURLToPath(new URL("../../../../docs/images", import.meta.url));

const PICTURES: readonly [name: string, view: View, status: ServerStatus][] = [
  ["status-page", DESKTOP_LIGHT, healthyStatus()],
  ["status-page-dark", DESKTOP_DARK, troubledStatus()],
  ["status-page-phone", PHONE, troubledStatus()],
];

mkdirSync(FOLDER, { recursive: true });
const browser = await openBrowser();
try {
  for (const [name, { width, height, scheme, scale }, status] of PICTURES) {
    const page = await browser.newPage();
    await page.setJavaScriptEnabled(false);
    await page.setViewport({ width, height, deviceScaleFactor: scale });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.setContent(renderPage(status));
    await page.screenshot({ path: `${FOLDER}/${name}.png`, fullPage: true });
    await page.close();
  }
} finally {
  await browser.close();
}
