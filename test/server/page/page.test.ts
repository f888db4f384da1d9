import axe, { type AxeResults } from "axe-core";
import test, { type ExecutionContext } from "ava";
import type { Browser, Page } from "puppeteer-core";
import type { ServerStatus } from "../../../src/server/status.js";
import {
  DESKTOP_DARK,
  DESKTOP_LIGHT,
  openBrowser,
  PHONE,
  type View,
} from "../../support/server/browser.js";
import { openHttp, type TestServer } from "../../support/server/http.js";
import { healthyStatus, STARTING, troubledStatus } from "../../support/server/sample-status.js";

let browser: Browser;
test.before(async () => {
  browser = await openBrowser();
});
test.after.always(() => browser?.close());

interface Shown extends TestServer {
  readonly page: Page;
  /** Addresses of all requests. */
  readonly requests: string[];
  /** Errors and warnings, also about what the policy of the page forbids. */
  readonly complaints: string[];
}

async function show(
  t: ExecutionContext,
  status: ServerStatus,
  view: View = DESKTOP_LIGHT,
  javaScript = true,
): Promise<Shown> {
  const server = await openHttp(t, { limits: { gatherMs: 20, heartbeatMs: 200 } }, status);
  const page = await browser.newPage();
  page.setDefaultTimeout(120_000);
  t.teardown(() => page.close());
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("dialog", (dialog) => {
    complaints.push(dialog.message());
    void dialog.dismiss();
  });
  await page.setJavaScriptEnabled(javaScript);
  await page.setViewport({ width: view.width, height: view.height });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: view.scheme }]);
  await page.goto(server.http.url, { waitUntil: "load" });
  return { ...server, page, requests, complaints };
}

async function textOf(page: Page, selector: string): Promise<string> {
  return String(
    await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).innerText`),
  );
}

async function until(page: Page, condition: string): Promise<void> {
  await page.waitForFunction(condition, { polling: 50 });
}

const STATES = { starting: STARTING, healthy: healthyStatus(), troubled: troubledStatus() };

for (const view of [DESKTOP_LIGHT, DESKTOP_DARK, PHONE]) {
  test(`axe finds nothing on the page in every state, with details open: ${view.name}`, async (t) => {
    const { page, core, complaints } = await show(t, STARTING, view);
    await page.evaluate(axe.source);
    for (const [name, status] of Object.entries(STATES)) {
      core.change(status);
      const first = JSON.stringify(status.failures[0]?.message ?? "None since the start");
      await until(page, `document.body.textContent.includes(${first})`);
      await page.evaluate(
        'for (const one of document.querySelectorAll("details")) one.open = true',
      );
      const { violations, passes } = (await page.evaluate("axe.run()")) as AxeResults;
      t.deepEqual(
        violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]),
        [],
        name,
      );
      t.true(
        passes.some(({ id }) => id === "color-contrast"),
        "colours are checked",
      );
    }
    t.deepEqual(complaints, []);
  });
}

test("the page asks nobody but its own server, and its policy lets it do all it does", async (t) => {
  const { page, requests, complaints, http } = await show(t, troubledStatus());
  await until(page, 'document.getElementById("live").textContent === "Live"');
  t.deepEqual(
    requests.filter((url) => !url.startsWith("data:")),
    [`${http.url}/`, `${http.url}/events`],
  );
  t.deepEqual(complaints, []);
});

test("the page follows changes, and keeps what the reader has opened and focused", async (t) => {
  const { page, core } = await show(t, healthyStatus());
  await until(page, 'document.getElementById("live").textContent === "Live"');
  await page.evaluate(`document.getElementById("snapshot-table").open = true;
    document.querySelector("#snapshot-table .scroll").scrollTop = 77;
    document.querySelector("#snapshot-table summary").focus()`);
  t.is(await page.title(), "✓ 19 min – backuptool");
  core.change(troubledStatus());
  await until(page, 'document.title === "✕ 4 problems – backuptool"');
  t.regex(await textOf(page, "#s-verdict"), /4 problems\s+The secondary store has failed/);
  t.true(await page.evaluate('document.getElementById("snapshot-table").open'));
  t.is(await page.evaluate('document.querySelector("#snapshot-table .scroll").scrollTop'), 77);
  t.is(await page.evaluate("document.activeElement.parentElement.id"), "snapshot-table");
});

test("without its server, the page says that its values are old, and finds the server again", async (t) => {
  const { page, http } = await show(t, healthyStatus());
  await until(page, 'document.getElementById("live").textContent === "Live"');
  const port = Number(new URL(http.url).port);
  await http.close();
  await until(page, 'document.getElementById("live").textContent.startsWith("No connection")');
  await openHttp(t, { port }, troubledStatus());
  await until(page, 'document.title.includes("4 problems")');
  t.is(await textOf(page, "#live"), "Live");
});

test("without JavaScript, the page says the same", async (t) => {
  const { page } = await show(t, troubledStatus(), DESKTOP_LIGHT, false);
  const plain = await textOf(page, "main");
  await page.setJavaScriptEnabled(true);
  await page.reload();
  await until(page, 'document.getElementById("live").textContent === "Live"');
  t.is(plain, await textOf(page, "main"));
  for (const words of [
    "4 problems",
    "6 h 19 min",
    "Failing, paused",
    "The secondary lacks 6 snapshots (67.8 MiB); the oldest is 6 h old.",
    "Failed 4 times in a row",
    "in pool",
    "1 damaged",
  ]) {
    t.true(`${plain}${await labels(page)}`.includes(words), words);
  }
});

async function labels(page: Page): Promise<string> {
  return String(
    await page.evaluate(
      '[...document.querySelectorAll("[aria-label]")].map((one) => one.getAttribute("aria-label")).join("\\n")',
    ),
  );
}

test("what stores and servers write is text on the page, never markup", async (t) => {
  const evil = `"'><img src=x onerror=alert(1)><script>alert(2)</script></title></style>&lt;`;
  const hostile = JSON.parse(
    JSON.stringify(troubledStatus(), (key, value) => {
      const isText = ["store", "error", "message", "name", "base", "snapshot", "phase", "identity"];
      return isText.includes(key) && typeof value === "string" ? evil + value : value;
    }),
  );
  hostile.leader = {
    election: true,
    isLeader: false,
    current: { identity: evil, url: "javascript:alert(3)" },
  };
  hostile.version = evil;
  const { page, core, complaints } = await show(t, hostile);
  await until(page, 'document.getElementById("live").textContent === "Live"');
  core.change({ version: `${evil}.2` });
  await until(page, 'document.getElementById("s-server").textContent.includes(".2")');
  t.is(await page.evaluate('document.querySelectorAll("img, main script, a").length'), 0);
  t.true((await textOf(page, "#s-sites")).includes(evil));
  t.deepEqual(complaints, []);
});

test("times and numbers that make no sense are shown, and break nothing", async (t) => {
  const broken = JSON.parse(
    JSON.stringify(troubledStatus(), (key, value) => {
      if (
        ["time", "at", "nextAt", "startedAt", "lastSuccess"].includes(key) &&
        typeof value === "string"
      ) {
        return "yesterday";
      }
      return ["bytes", "ageSeconds", "total"].includes(key) ? -1 : value;
    }),
  );
  const { page } = await show(t, broken);
  await until(page, 'document.getElementById("live").textContent === "Live"');
  t.regex(await textOf(page, "#s-failures"), /yesterday · Sync, secondary store/);
});

test("nothing is wider than the screen, down to 320 pixels", async (t) => {
  const { page } = await show(t, troubledStatus(), PHONE);
  for (const width of [320, 390, 768, 1200, 2560]) {
    await page.setViewport({ width, height: 800 });
    const widths = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]");
    t.deepEqual(widths, [width, width]);
  }
});

test("nothing moves for readers who want no motion", async (t) => {
  const { page } = await show(t, healthyStatus());
  const moving = 'document.getAnimations().filter((one) => one.playState === "running").length';
  t.true(Number(await page.evaluate(moving)) > 0, "the running job turns");
  await page.emulateMediaFeatures([{ name: "prefers-reduced-motion", value: "reduce" }]);
  t.is(await page.evaluate(moving), 0);
});
