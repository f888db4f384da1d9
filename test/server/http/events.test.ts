import { get, type IncomingMessage } from "node:http";
import test, { type ExecutionContext } from "ava";
import { call, json, openHttp } from "../../support/server/http.js";
import { troubledStatus } from "../../support/server/sample-status.js";

/** Heartbeats end a client that is behind: on a busy machine, any client would be after a short one. */
const FAST = { gatherMs: 30, heartbeatMs: 60_000 };
const BEATING = { ...FAST, heartbeatMs: 100 };

const PATIENCE_MS = 120_000;

/** Reads events of a page. */
class Reader {
  readonly #answer: IncomingMessage;
  #text = "";
  readonly sections = new Map<string, string>();
  /** Ids in the order in which they came. */
  readonly arrived: string[] = [];
  beats = 0;
  ended = false;

  private constructor(answer: IncomingMessage) {
    this.#answer = answer;
    answer.setEncoding("utf8");
    answer.on("data", (text: string) => this.#take(text));
    answer.on("close", () => {
      this.ended = true;
    });
    answer.on("error", () => {});
  }

  static async open(t: ExecutionContext, base: string): Promise<Reader> {
    return await new Promise((resolve, reject) => {
      const request = get(new URL("/events", base), { agent: false }, (answer) => {
        t.is(answer.statusCode, 200);
        t.is(answer.headers["content-type"], "text/event-stream; charset=utf-8");
        resolve(new Reader(answer));
      });
      request.on("error", reject);
      t.teardown(() => request.destroy());
    });
  }

  pause(): void {
    this.#answer.pause();
  }

  close(): void {
    this.#answer.destroy();
  }

  async until(condition: () => boolean): Promise<void> {
    const begun = performance.now();
    while (!condition()) {
      if (performance.now() - begun > PATIENCE_MS) throw new Error(`arrived: ${this.arrived}`);
      if (this.ended) throw new Error(`the stream has ended after ${this.arrived}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  #take(text: string): void {
    const events = (this.#text + text).split("\n\n");
    this.#text = events.pop() ?? "";
    for (const event of events) {
      if (event.startsWith(":")) this.beats++;
      const [, data] = /^event: section\ndata: (.*)$/.exec(event) ?? [];
      if (data === undefined) continue;
      const { id, html } = JSON.parse(data);
      this.sections.set(id, html);
      this.arrived.push(id);
    }
  }
}

const ALL = ["title", "server", "verdict", "sites", "deltas", "jobs", "timeline", "failures"];

test("a stream begins with every section, and then has those that change", async (t) => {
  const { http, core } = await openHttp(t, { limits: FAST });
  const reader = await Reader.open(t, http.url);
  await reader.until(() => reader.sections.size === ALL.length);
  t.deepEqual(reader.arrived, ALL);
  const { jobs } = core.status();
  core.change({ jobs: { ...jobs, verify: { state: "running", failuresInARow: 0 } } });
  await reader.until(() => reader.arrived.length > ALL.length);
  t.deepEqual(reader.arrived.slice(ALL.length), ["jobs"]);

  core.change(troubledStatus());
  await reader.until(() => reader.sections.get("verdict")?.includes("4 problems") ?? false);
  t.is(reader.sections.get("title"), "✕ 4 problems – backuptool");
});

test("many changes within a moment are one event", async (t) => {
  const { http, core } = await openHttp(t, { limits: { ...FAST, gatherMs: 200 } });
  const reader = await Reader.open(t, http.url);
  await reader.until(() => reader.sections.size === ALL.length);
  for (let i = 0; i < 1000; i++) core.change({ version: `0.1.${i}` });
  await reader.until(() => reader.sections.get("server")?.includes("0.1.999") ?? false);
  t.is(reader.arrived.filter((id) => id === "server").length, 2);
});

test("a stream without changes shows that it is alive", async (t) => {
  const { http } = await openHttp(t, { limits: { ...BEATING, idleMs: 1000 } });
  const reader = await Reader.open(t, http.url);
  await reader.until(() => reader.beats >= 15);
  t.false(reader.ended, "no idle connection");
});

test("the core is observed only while a client waits for events", async (t) => {
  const { http, core } = await openHttp(t, { limits: FAST });
  t.is(core.listeners, 0);
  const [one, other] = [await Reader.open(t, http.url), await Reader.open(t, http.url)];
  t.is(core.listeners, 1);
  one.close();
  other.close();
  await one.until(() => core.listeners === 0);
  await Reader.open(t, http.url);
  t.is(core.listeners, 1);
});

test("streams over the limit are rejected, and a place is free again later", async (t) => {
  const { http } = await openHttp(t, { limits: { ...FAST, eventStreams: 1 } });
  const reader = await Reader.open(t, http.url);
  const rejected = await call(http.url, "/events");
  t.is(rejected.status, 503);
  t.is(json(rejected)["code"], "TOO_MANY_STREAMS");
  t.truthy(rejected.headers["retry-after"]);
  reader.close();
  await reader.until(() => reader.ended);
  await Reader.open(t, http.url);
});

test("a client that reads nothing is ended, and costs the others nothing", async (t) => {
  const { http, core } = await openHttp(t, { limits: { ...FAST, heartbeatMs: 1000 } });
  const stuck = await Reader.open(t, http.url);
  stuck.pause();
  const reader = await Reader.open(t, http.url);
  // More than the buffers of the kernel hold.
  let round = 0;
  const failure = { at: "2026-11-28T17:00:00Z", job: "sync", code: "OTHER" } as const;
  const noise = setInterval(() => {
    const failures = [{ ...failure, message: `${round++} ${"x".repeat(16_000)}` }];
    core.change({ failures: Array.from({ length: 20 }, () => failures).flat() });
  }, 40);
  t.teardown(() => clearInterval(noise));
  await reader.until(() => http.eventStreams === 1);
  const seen = reader.arrived.length;
  await reader.until(() => reader.arrived.length > seen);
  t.false(reader.ended);
});

test("a fault of the core ends the streams, not the process", async (t) => {
  const { http, core, log } = await openHttp(t, { limits: BEATING });
  const reader = await Reader.open(t, http.url);
  core.status = () => {
    throw new Error("the core has a fault");
  };
  await reader.until(() => reader.ended);
  t.regex(log.text, /the status page cannot be rendered/);
  t.is((await call(http.url, "/healthz")).status, 200);
});

test("closing the server ends its streams", async (t) => {
  const { http, core } = await openHttp(t);
  const reader = await Reader.open(t, http.url);
  await http.close();
  await reader.until(() => reader.ended);
  t.is(core.listeners, 0);
});
