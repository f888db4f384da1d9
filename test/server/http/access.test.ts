import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname, networkInterfaces } from "node:os";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { Authority } from "../../support/network/certificates.js";
import { call, json, openHttp } from "../../support/server/http.js";

const TOKEN = "0123456789abcdef0123456789abcdef";

function tokenFileOf(content = `${TOKEN}\n`, mode = 0o600): string {
  const path = join(newFolder(), "token");
  writeFileSync(path, content, { mode });
  return path;
}

function bearer(token: string): { authorization: string } {
  return { authorization: `Bearer ${token}` };
}

/** An address of this machine that is not loopback. */
function ownAddress(): string | undefined {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find(({ internal, family }) => !internal && family === "IPv4")?.address;
}

test("with a token file, a call needs the token, also from this machine", async (t) => {
  const { http, core, log } = await openHttp(t, { tokenFile: tokenFileOf() });
  const post = (headers = {}) => call(http.url, "/sync", { method: "POST", headers });
  const missing = await post();
  t.is(missing.status, 401);
  t.is(missing.headers["www-authenticate"], "Bearer");
  for (const headers of [
    bearer(`${TOKEN}0`),
    bearer(TOKEN.slice(1)),
    bearer(TOKEN.toUpperCase()),
    { authorization: `Basic ${TOKEN}` },
    { authorization: TOKEN },
    { authorization: `Bearer ${TOKEN} ${TOKEN}` },
  ]) {
    const answer = await post(headers);
    t.is(answer.status, 401, headers.authorization);
    t.is(json(answer)["code"], "TOKEN_NEEDED");
  }
  t.deepEqual(core.begun, []);
  t.is((await post(bearer(TOKEN))).status, 202);
  t.is((await post({ authorization: `bearer  ${TOKEN}` })).status, 202, "as RFC 9110 allows");
  t.false(log.text.includes(TOKEN));
});

test("a token in the query or as a cookie has no effect", async (t) => {
  const { http, core } = await openHttp(t, { tokenFile: tokenFileOf() });
  const query = await call(http.url, `/sync?access_token=${TOKEN}`, { method: "POST" });
  t.is(query.status, 401);
  const cookie = { method: "POST", headers: { cookie: `token=${TOKEN}` } };
  t.is((await call(http.url, "/sync", cookie)).status, 401);
  t.deepEqual(core.begun, []);
});

test("a new token counts from the next call on, and the old one no more", async (t) => {
  const path = tokenFileOf();
  const { http } = await openHttp(t, { tokenFile: path });
  const post = async (token: string) =>
    (await call(http.url, "/sync", { method: "POST", headers: bearer(token) })).status;
  t.is(await post(TOKEN), 202);
  const next = "fedcba9876543210fedcba9876543210";
  writeFileSync(`${path}.new`, next);
  renameSync(`${path}.new`, path);
  t.is(await post(TOKEN), 401);
  t.is(await post(next), 202);
});

test("without a token in its file, nobody may change anything until there is one again", async (t) => {
  const path = tokenFileOf();
  const { http, core, log } = await openHttp(t, { tokenFile: path });
  const post = async () =>
    (await call(http.url, "/sync", { method: "POST", headers: bearer(TOKEN) })).status;
  writeFileSync(path, "");
  t.is(await post(), 503);
  rmSync(path);
  t.is(await post(), 503);
  t.is(await post(), 503);
  t.regex(log.text, /server-token-file cannot be read: ENOENT/);
  t.is(log.text.match(/ENOENT/g)?.length, 1, "logged once");
  t.deepEqual(core.begun, []);
  writeFileSync(path, TOKEN);
  t.is(await post(), 202);
});

test("a file without a proper token is an error at the start", async (t) => {
  for (const content of [
    "",
    "\n",
    "short",
    `${TOKEN}\n${TOKEN}\n`,
    `${TOKEN} `,
    "ключ-ключ-ключ-ключ",
  ]) {
    await t.throwsAsync(() => openHttp(t, { tokenFile: tokenFileOf(content) }), {
      code: "USAGE",
      message: /^server-token-file "[^"]*" must hold one line of at least 16 letters/,
    });
  }
  await t.throwsAsync(() => openHttp(t, { tokenFile: "/nonexistent/token" }), {
    message: /^server-token-file cannot be read: ENOENT/,
  });
});

test("a token file or a key that every user may read is used, with a warning", async (t) => {
  const tokenFile = tokenFileOf(TOKEN, 0o644);
  const { log } = await openHttp(t, { tokenFile });
  t.regex(
    log.text,
    /warn the token file "[^"]*" has mode 0644: every user of this machine may read/,
  );
  const folder = newFolder();
  const { cert, key } = new Authority(folder, "authority").sign("server", "IP:127.0.0.1");
  chmodSync(key, 0o604);
  const secure = await openHttp(t, { tls: { cert, key } });
  t.regex(secure.log.text, /warn the key "[^"]*" has mode 0604/);
});

test("without a token file, only callers on this machine may change anything", async (t) => {
  const address = ownAddress();
  if (address === undefined) {
    t.log("this machine has no address but loopback: only proxied callers are tested");
  } else {
    const { http, core } = await openHttp(t, { host: "0.0.0.0" });
    const url = `http://${address}:${new URL(http.url).port}`;
    const answer = await call(url, "/sync", { method: "POST" });
    t.is(answer.status, 403);
    t.is(json(answer)["code"], "TOKEN_NEEDED");
    t.deepEqual(core.begun, []);
    t.is((await call(url, "/status")).status, 200, "reading is possible");
    const local = `http://127.0.0.1:${new URL(http.url).port}`;
    t.is((await call(local, "/sync", { method: "POST" })).status, 202);
  }
  const { http, core } = await openHttp(t);
  for (const name of ["x-forwarded-for", "forwarded", "via", "x-real-ip"]) {
    const headers = { [name]: "203.0.113.9" };
    t.is((await call(http.url, "/sync", { method: "POST", headers })).status, 403, name);
  }
  t.deepEqual(core.begun, []);
});

test("with a token, callers from elsewhere may change something, under any name", async (t) => {
  const { http } = await openHttp(t, { tokenFile: tokenFileOf() });
  const headers = {
    ...bearer(TOKEN),
    host: "backup.example.com",
    "x-forwarded-for": "203.0.113.9",
  };
  t.is((await call(http.url, "/sync", { method: "POST", headers })).status, 202);
  t.is((await call(http.url, "/status", { headers })).status, 200);
});

test("a web page of another site can begin nothing", async (t) => {
  const path = tokenFileOf();
  for (const options of [{}, { tokenFile: path }]) {
    const { http, core } = await openHttp(t, options);
    const own = new URL(http.url).host;
    const post = async (headers: Record<string, string>) =>
      await call(http.url, "/sync", { method: "POST", headers: { ...bearer(TOKEN), ...headers } });
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "http://127.0.0.1:1" },
      { origin: "not a url" },
      { origin: `http://${own}.evil.example` },
      { "sec-fetch-site": "cross-site" },
      { "sec-fetch-site": "same-site" },
    ]) {
      const answer = await post(headers);
      t.is(answer.status, 403, JSON.stringify(headers));
      t.is(json(answer)["code"], "FOREIGN_ORIGIN");
    }
    t.deepEqual(core.begun, []);
    t.is((await post({ origin: `http://${own}`, "sec-fetch-site": "same-origin" })).status, 202);
  }
});

test("a name that an attacker points at this machine opens nothing", async (t) => {
  const { http, core } = await openHttp(t);
  const port = new URL(http.url).port;
  const rebound = { host: `evil.example:${port}`, origin: `http://evil.example:${port}` };
  const post = await call(http.url, "/sync", { method: "POST", headers: rebound });
  t.is(post.status, 421);
  for (const path of ["/", "/status", "/config", "/snapshots", "/snapshot/latest", "/events"]) {
    const answer = await call(http.url, path, { headers: { host: rebound.host } });
    t.is(answer.status, 421, path);
    t.is(json(answer)["code"], "FOREIGN_HOST");
  }
  t.deepEqual(core.begun, []);
  for (const host of [
    "127.0.0.1",
    "[::1]:80",
    "LOCALHOST:80",
    "localhost.",
    hostname(),
    "10.0.0.7",
  ]) {
    t.is((await call(http.url, "/status", { headers: { host } })).status, 200, host);
  }
  for (const host of ["evil.example:x", "localhost.evil.example", "127.0.0.1.evil.example"]) {
    const { status } = await call(http.url, "/status", { headers: { host } });
    t.true([400, 421].includes(status), host);
  }
});

test("the name in the URL of the server is one of its own", async (t) => {
  const { http } = await openHttp(t, { url: "https://Backup.example.com/status" });
  const headers = { host: "backup.example.com" };
  t.is((await call(http.url, "/status", { headers })).status, 200);
});

test("monitoring may use any name for health and metrics", async (t) => {
  const { http } = await openHttp(t);
  for (const path of ["/healthz", "/readyz", "/metrics"]) {
    const headers = { host: "backup-0.backup.svc.cluster.local" };
    t.is((await call(http.url, path, { headers })).status, 200, path);
  }
});

test("no answer shows the token, nor a part of it", async (t) => {
  const { http, log } = await openHttp(t, { tokenFile: tokenFileOf() });
  for (const path of [
    "/",
    "/status",
    "/config",
    "/metrics",
    "/snapshots",
    "/healthz",
    "/nothing",
  ]) {
    for (const headers of [{}, bearer(TOKEN), bearer(`${TOKEN}x`)]) {
      const answer = await call(http.url, path, { headers });
      t.false(`${JSON.stringify(answer.headers)}${answer.body}`.includes(TOKEN.slice(0, 16)), path);
    }
  }
  await call(http.url, "/sync", { method: "POST", headers: bearer(`${TOKEN}x`) });
  t.false(log.text.includes(TOKEN.slice(0, 16)));
});
