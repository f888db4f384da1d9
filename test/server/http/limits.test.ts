import { connect, type Socket } from "node:net";
import test from "ava";
import { call, json, openHttp } from "../../support/server/http.js";
import { snapshotRow } from "../../support/server/snapshot-row.js";

/** Sends text as it is, and resolves with all that comes back until the server ends the connection. */
async function raw(base: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(base).port), "127.0.0.1");
  socket.write(text);
  return await untilClosed(socket);
}

async function untilClosed(socket: Socket): Promise<string> {
  let received = "";
  socket.on("data", (data) => {
    received += data;
  });
  // Closed while the client still wrote.
  socket.on("error", () => {});
  await new Promise((resolve) => socket.once("close", resolve));
  return received;
}

test("a body over the limit is rejected, announced or not", async (t) => {
  const { http, core } = await openHttp(t);
  const large = await call(http.url, "/sync", { method: "POST", body: " ".repeat(5000) });
  t.is(large.status, 413);
  t.is(json(large)["code"], "BAD_REQUEST");
  const chunked = await call(http.url, "/sync", {
    method: "POST",
    body: " ".repeat(5000),
    headers: { "transfer-encoding": "chunked" },
  });
  t.is(chunked.status, 413);
  t.deepEqual(core.begun, []);
});

test("a caller without the token makes the server read no body", async (t) => {
  const { http } = await openHttp(t);
  const headers = { origin: "https://evil.example" };
  const answer = await call(http.url, "/sync", { method: "POST", body: " ".repeat(5000), headers });
  t.is(answer.status, 403);
});

test("headers over the limit are rejected", async (t) => {
  const { http } = await openHttp(t);
  const text = `GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`;
  t.regex(await raw(http.url, text), /^HTTP\/1\.1 431 /);
  const path = `GET /${"p".repeat(20_000)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
  t.regex(await raw(http.url, path), /^HTTP\/1\.1 431 /);
});

test("what is not HTTP is answered with 400, and the server goes on", async (t) => {
  const { http } = await openHttp(t);
  for (const text of [
    "\x16\x03\x01\x02\x00\x01\x00",
    "POST /sync HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /sync HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
  ]) {
    const [head = "", body = ""] = (await raw(http.url, text)).split("\r\n\r\n");
    t.regex(head, /^HTTP\/1\.1 400 Bad Request\r\n/, JSON.stringify(text));
    t.is(JSON.parse(body).code, "BAD_REQUEST");
  }
  // Node answers by itself.
  t.regex(await raw(http.url, "GET /status HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 400 /);
  t.is((await call(http.url, "/healthz")).status, 200);
});

test("a client that sends its headers or body too slowly is ended", async (t) => {
  const limits = { headersMs: 300, requestMs: 600 };
  const { http, core } = await openHttp(t, { limits });
  t.regex(await raw(http.url, "GET /status HTTP/1.1\r\nHost: 127.0.0.1\r\n"), /^HTTP\/1\.1 408 /);
  const body = "POST /sync HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9\r\n\r\n{";
  t.regex(await raw(http.url, body), /^HTTP\/1\.1 408 /);
  t.deepEqual(core.begun, []);
});

test("a connection on which nothing happens is ended", async (t) => {
  const { http } = await openHttp(t, { limits: { idleMs: 200 } });
  t.is(await raw(http.url, ""), "");
});

test("a slow reader of many snapshots does not hold them all in memory", async (t) => {
  const { http, core } = await openHttp(t);
  const count = 10_000;
  let taken = 0;
  const padding = "x".repeat(4_000);
  const secondary = Array.from({ length: count }, (_, i) => ({
    ...snapshotRow("Full-1", "a"),
    toJSON: () => {
      taken++;
      return { i, padding };
    },
  }));
  core.rows = { secondary };
  const socket = connect(Number(new URL(http.url).port), "127.0.0.1");
  socket.pause();
  socket.write("GET /snapshots HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
  // Until the buffers of the kernel are full.
  for (let before = -1; taken === 0 || taken !== before; ) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  t.true(taken < count, `${taken} of ${count} were written`);
  socket.resume();
  const [, body = ""] = (await untilClosed(socket)).split("\r\n\r\n");
  const answer = JSON.parse(body);
  t.deepEqual(answer.primary, []);
  t.is(answer.secondary.length, count);
  t.deepEqual(answer.secondary.at(-1), { i: count - 1, padding });
});

test("connections over the limit are ended, and others go on", async (t) => {
  const { http } = await openHttp(t, { limits: { connections: 3 } });
  const port = Number(new URL(http.url).port);
  const held = [1, 2, 3].map(() => connect(port, "127.0.0.1"));
  await Promise.all(
    held.map((socket) => new Promise((resolve) => socket.once("connect", resolve))),
  );
  t.is(await raw(http.url, "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"), "");
  const [first, ...others] = held;
  first?.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  if (first !== undefined) t.regex(await untilClosed(first), /^HTTP\/1\.1 200 /);
  for (const socket of others) socket.destroy();
});
