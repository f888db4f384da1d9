import test from "ava";
import type { SnapshotRow } from "../../../src/operations/snapshots/events.js";
import { call, json, openHttp } from "../../support/server/http.js";
import { healthyStatus, STARTING, troubledStatus } from "../../support/server/sample-status.js";
import { snapshotRow } from "../../support/server/snapshot-row.js";

test("/healthz answers while the process works", async (t) => {
  const { http } = await openHttp(t, {}, STARTING);
  const answer = await call(http.url, "/healthz");
  t.is(answer.status, 200);
  t.deepEqual(json(answer), { status: "ok" });
});

test("/readyz says whether the server can do its work, or why not", async (t) => {
  const { http, core } = await openHttp(t);
  t.is((await call(http.url, "/readyz")).status, 200);

  const { sites, leader } = healthyStatus();
  const follower = { ...leader, isLeader: false };
  core.change({ leader: { ...follower, current: { identity: "backup-1" } } });
  t.is((await call(http.url, "/readyz")).status, 200, "a follower that knows the leader");

  core.change({ leader: { election: true, isLeader: false } });
  const alone = await call(http.url, "/readyz");
  t.is(alone.status, 503);
  t.deepEqual(json(alone)["problems"], ["no leader is known"]);

  core.change({ leader, sites: troubledStatus().sites });
  t.is((await call(http.url, "/readyz")).status, 200, "the secondary alone is down");

  const { primary } = sites;
  if (primary === undefined) throw new Error("the sample has a primary store");
  core.change({ sites: { primary: { ...primary, reachable: false } } });
  const down = await call(http.url, "/readyz");
  t.is(down.status, 503);
  t.deepEqual(json(down)["problems"], ["the primary store is not reachable"]);
  core.change({ sites: { primary: { ...primary, breaker: "open" } } });
  t.is((await call(http.url, "/readyz")).status, 503);
});

test("/metrics is in the text format of Prometheus", async (t) => {
  const { http } = await openHttp(t);
  const answer = await call(http.url, "/metrics");
  t.is(answer.status, 200);
  t.is(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
  t.regex(answer.body, /^backuptool_store_up\{store="primary"\} 1$/m);
});

test("/status is the status as JSON, with the changes since", async (t) => {
  const { http, core } = await openHttp(t);
  t.deepEqual(json(await call(http.url, "/status")), JSON.parse(JSON.stringify(core.status())));
  core.change({ version: "0.2.0" });
  t.is(json(await call(http.url, "/status"))["version"], "0.2.0");
});

test("/config is the configuration of the server", async (t) => {
  const { http, core } = await openHttp(t);
  core.configuration = { schedule: "0 2 * * *", "backup-sync-enabled": true };
  t.deepEqual(json(await call(http.url, "/config")), core.configuration);
});

/** What an answer says of a snapshot in a listing: its state in the store that is asked for. */
function shown({ primary: state, secondary: _, ...row }: SnapshotRow): object {
  return { ...row, state };
}

test("/snapshots lists both stores, or the one of the query", async (t) => {
  const { http, core } = await openHttp(t);
  const [one, two] = [snapshotRow("Full-1", "a"), snapshotRow("Full-2", "b")];
  core.rows = { primary: [one, two], secondary: [one] };
  t.deepEqual(json(await call(http.url, "/snapshots")), {
    primary: [shown(one), shown(two)],
    secondary: [shown(one)],
  });
  t.deepEqual(json(await call(http.url, "/snapshots?store=secondary")), {
    secondary: [shown(one)],
  });
  for (const query of ["store=third", "store=", "store=primary&store=primary", "sort=time"]) {
    const answer = await call(http.url, `/snapshots?${query}`);
    t.is(answer.status, 400, query);
    t.is(json(answer)["code"], "BAD_REQUEST");
  }
});

test("/snapshot/latest is the newest restorable one with its bases", async (t) => {
  const { http, core } = await openHttp(t);
  const name = core.status().sites.primary?.newestRestorable?.snapshot ?? "";
  const full = snapshotRow("Full-1", "a");
  const between = snapshotRow("Incr-2", "b", "a");
  const newest = snapshotRow(name, "c", "b");
  core.rows = { primary: [full, snapshotRow("Incr-9", "x", "a"), between, newest], secondary: [] };
  const answer = json(await call(http.url, "/snapshot/latest"));
  t.is(answer["store"], "primary");
  t.is(answer["snapshot"], name);
  t.is(answer["ageSeconds"], 1199);
  t.deepEqual(answer["chain"], [full, between, newest].map(shown));
});

test("/snapshot/latest names the streams of deltas that follow it, and what is durable", async (t) => {
  const { http, core } = await openHttp(t);
  const { time = "" } = core.status().sites.primary?.newestRestorable ?? {};
  const later = new Date(Date.parse(time) + 60_000).toISOString();
  const common = { deltas: 3, bytes: 900, first: 5, last: 9, hasBase: false };
  const before = { ...common, name: "Etcd-1", lastSeen: "2020-01-01T00:00:00.000Z" };
  const after = { ...common, name: "Etcd-2", lastSeen: later };
  core.streamRows = { primary: [before, after] };
  t.deepEqual(json(await call(http.url, "/snapshot/latest"))["deltas"], {
    durableRevision: 70_133,
    streams: [after],
  });
});

test("/snapshot/latest ends at bases that name each other in a circle", async (t) => {
  const { http, core } = await openHttp(t);
  const name = core.status().sites.primary?.newestRestorable?.snapshot ?? "";
  const [one, other] = [snapshotRow("Incr-1", "a", "b"), snapshotRow(name, "b", "a")];
  core.rows = { primary: [one, other] };
  t.deepEqual(json(await call(http.url, "/snapshot/latest"))["chain"], [one, other].map(shown));
});

test("/snapshot/latest tells a store without backups from one that is not listed yet", async (t) => {
  const { http, core } = await openHttp(t);
  const { primary } = core.status().sites;
  if (primary === undefined) throw new Error("the sample has a primary store");
  const { newestRestorable: _, checkedAt, ...unlisted } = primary;
  core.change({ sites: { primary: unlisted } });
  const early = await call(http.url, "/snapshot/latest");
  t.is(early.status, 503);
  t.is(json(early)["code"], "NOT_LISTED");
  core.change({ sites: { primary: { ...unlisted, checkedAt: checkedAt ?? "" } } });
  const none = await call(http.url, "/snapshot/latest");
  t.is(none.status, 404);
  t.is(json(none)["code"], "NO_SNAPSHOT");
  const absent = await call(http.url, "/snapshot/latest?store=secondary");
  t.is(absent.status, 404);
  t.is(json(absent)["code"], "NO_STORE");
});

test("a call begins its job and answers with 202", async (t) => {
  const { http, core, log } = await openHttp(t);
  for (const [path, job] of [
    ["/snapshot/full", "full"],
    ["/snapshot/incremental", "incremental"],
    ["/sync", "sync"],
    ["/prune", "retention"],
    ["/snapshot/delta", "delta"],
  ] as const) {
    const answer = await call(http.url, path, { method: "POST" });
    t.is(answer.status, 202);
    t.deepEqual(json(answer), { job, accepted: true });
    t.is(core.begun.at(-1), job);
    t.regex(log.text, new RegExp(`an HTTP call began the job ${job}`));
  }
});

test("a call answers why its job is not begun", async (t) => {
  const { http, core } = await openHttp(t);
  const post = () => call(http.url, "/snapshot/full", { method: "POST" });
  for (const [reason, status, code] of [
    ["running", 409, "RUNNING"],
    ["disabled", 409, "DISABLED"],
    ["stopping", 503, "STOPPING"],
    ["unavailable", 503, "UNAVAILABLE"],
  ] as const) {
    core.answer = { accepted: false, reason };
    const answer = await post();
    t.is(answer.status, status);
    t.is(json(answer)["code"], code);
  }

  const leader = { identity: "backup-1", url: "https://10.2.0.5:8080" };
  core.change({ leader: { election: true, isLeader: false, current: leader } });
  core.answer = { accepted: false, reason: "not-leader" };
  const answer = await post();
  t.is(answer.status, 503);
  t.is(json(answer)["code"], "NOT_LEADER");
  t.deepEqual(json(answer)["leader"], leader);
  t.regex(String(json(answer)["message"]), /backup-1 at https:\/\/10\.2\.0\.5:8080/);
  core.change({ leader: { election: true, isLeader: false } });
  t.is(json(await post())["leader"], null);
  t.deepEqual(core.begun, []);
});

test("a call ignores nothing that it is given", async (t) => {
  const { http, core } = await openHttp(t);
  for (const options of [
    { path: "/sync?final=true" },
    { path: "/sync", body: '{"final":true}' },
    {
      path: "/sync",
      body: "final=true",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    },
  ]) {
    const answer = await call(http.url, options.path, { method: "POST", ...options });
    t.is(answer.status, 400);
  }
  t.deepEqual(core.begun, []);
  const empty = { method: "POST", body: "{}", headers: { "content-type": "application/json" } };
  t.is((await call(http.url, "/sync", empty)).status, 202);
});

test("a GET changes nothing, and other methods name those that are possible", async (t) => {
  const { http, core } = await openHttp(t);
  for (const path of ["/snapshot/full", "/snapshot/incremental", "/sync", "/prune"]) {
    for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
      const answer = await call(http.url, path, { method });
      t.is(answer.status, 405, `${method} ${path}`);
      t.is(answer.headers.allow, "POST");
    }
  }
  const post = await call(http.url, "/status", { method: "POST" });
  t.is(post.status, 405);
  t.is(post.headers.allow, "GET, HEAD");
  t.deepEqual(core.begun, []);
  for (const path of [
    "/nothing",
    "/status/",
    "/etc/passwd",
    "/%",
    "/*a",
    "/:a/*(b",
    "/sta%74us%00",
  ]) {
    t.true([400, 404].includes((await call(http.url, path)).status), path);
  }
});

test("every answer has the headers that keep it from caches, frames and guesses", async (t) => {
  const { http } = await openHttp(t);
  for (const path of ["/", "/status", "/metrics", "/healthz", "/nothing"]) {
    const { headers } = await call(http.url, path);
    t.is(headers["cache-control"], "no-store", path);
    t.is(headers["x-content-type-options"], "nosniff");
    t.is(headers["x-frame-options"], "DENY");
    t.is(headers["referrer-policy"], "no-referrer");
    t.regex(
      String(headers["content-security-policy"]),
      /default-src 'none'.*frame-ancestors 'none'/,
    );
    t.is(headers["access-control-allow-origin"], undefined);
    t.is(headers["server"], undefined);
  }
});

test("a fault inside is answered without its details, which are logged", async (t) => {
  const { http, core, log } = await openHttp(t);
  core.config = () => {
    throw new Error("s3 secret AKIAPLANTED0001");
  };
  core.trigger = async () => {
    throw Object.assign(new Error("swift key planted0002"), { statusCode: 502 });
  };
  for (const [method, path] of [
    ["GET", "/config"],
    ["POST", "/sync"],
  ] as const) {
    const answer = await call(http.url, path, { method });
    t.is(answer.status, 500);
    t.deepEqual(json(answer), {
      code: "INTERNAL",
      message: "internal error; the log of the server has more",
    });
    t.notRegex(JSON.stringify(answer.headers), /planted/i);
  }
  t.regex(log.text, /AKIAPLANTED0001/);
});

test("a port that is in use is an error that names the settings", async (t) => {
  const { http } = await openHttp(t);
  const port = Number(new URL(http.url).port);
  const error = await t.throwsAsync(() => openHttp(t, { port }), { code: "LISTEN_FAILED" });
  t.regex(error?.message ?? "", /cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/);
});

test("on localhost the server answers on each of its addresses", async (t) => {
  const { http } = await openHttp(t, { host: "localhost" });
  t.regex(http.url, /^http:\/\/localhost:[1-9]/);
  t.is((await call(http.url, "/status")).status, 200);
});
