/** Takes the pictures of the status page for the documentation: `npm run screenshots`. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { HttpServer } from "../../../src/server/http/http-server.js";
import { Metrics } from "../../../src/server/metrics.js";
import type { ServerStatus } from "../../../src/server/status.js";
import { DESKTOP_DARK, DESKTOP_LIGHT, openBrowser, PHONE, type View } from "./browser.js";
import { RecordedLog } from "./http.js";
import { InMemoryServer } from "./in-memory-server.js";
import { healthyStatus, troubledStatus } from "./sample-status.js";

const FOLDER =
  process.argv[2] ?? fileURLToPath(new URL("../../../../docs/images", import.meta.url));

const PICTURES: readonly [name: string, view: View, status: ServerStatus, height?: number][] = [
  ["status-page", DESKTOP_LIGHT, healthyStatus()],
  ["status-page-dark", DESKTOP_DARK, troubledStatus()],
  ["status-page-phone", PHONE, troubledStatus(), 1500],
];

mkdirSync(FOLDER, { recursive: true });
const browser = await openBrowser();
try {
  for (const [name, { width, height, scheme, scale }, status, clipped] of PICTURES) {
    const core = new InMemoryServer(status);
    const http = await HttpServer.open(
      { host: "127.0.0.1", port: 0, url: undefined, tls: undefined, tokenFile: undefined },
      {
        state: core,
        actions: core,
        metrics: new Metrics(core, status.version),
        log: new RecordedLog(),
      },
    );
    const page = await browser.newPage();
    await page.setViewport({ width, height, deviceScaleFactor: scale });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.goto(http.url);
    await page.waitForFunction('document.getElementById("live").textContent === "Live"');
    await page.screenshot({
      path: `${FOLDER}/${name}.webp`,
      type: "webp",
      quality: 85,
      ...(clipped === undefined
        ? { fullPage: true }
        : { clip: { x: 0, y: 0, width, height: clipped } }),
    });
    await page.close();
    await http.close();
  }
} finally {
  await browser.close();
}
