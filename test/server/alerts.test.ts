import { createHmac } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test, { type ExecutionContext } from "ava";
import { AlertCommand } from "../../src/server/alerts/command.js";
import type { AlertLog } from "../../src/server/alerts/delivery.js";
import { type AlertMessage, firing } from "../../src/server/alerts/message.js";
import { Alerts, type AlertsOptions } from "../../src/server/alerts.js";
import type { ActiveAlert } from "../../src/server/status.js";
import { newFolder } from "../support/folders.js";

const SECRET = "hunter2hunter2";
const OLD: ActiveAlert = {
  key: "backup-too-old/primary",
  name: "backup-too-old",
  site: "primary",
  message: "the newest restorable backup in s3://bucket is 27 hours old",
  since: "2026-11-28T10:00:00.000Z",
};
const LAG: ActiveAlert = {
  key: "sync-lag",
  name: "sync-lag",
  message: "the secondary lacks 3 snapshots",
  since: "2026-11-28T11:00:00.000Z",
};

interface Received {
  readonly message: AlertMessage;
  readonly body: Buffer;
  readonly headers: IncomingMessage["headers"];
}

type Answer = (response: ServerResponse, received: readonly Received[]) => void;

/** A webhook on loopback that answers with 204 unless `answer` does otherwise. */
async function listen(t: ExecutionContext, answer: Answer = (r) => r.writeHead(204).end()) {
  const received: Received[] = [];
  let wake = () => {};
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    const body = Buffer.concat(pieces);
    received.push({ message: JSON.parse(body.toString()), body, headers: request.headers });
    answer(response, received);
    wake();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/services/${SECRET}`,
    received,
    /** Resolves when the server has received so many requests. */
    async until(count: number): Promise<void> {
      while (received.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

/** A log in memory. */
function memoryLog(): AlertLog & { readonly lines: string[] } {
  const lines: string[] = [];
  const add = (fields: object, message: string) => {
    lines.push(`${message} ${JSON.stringify(fields)}`);
  };
  return { lines, info: add, warn: add, error: add };
}

/** Alerts whose retries wait no longer than a millisecond. */
function alertsTo(t: ExecutionContext, options: Partial<AlertsOptions>, log = memoryLog()) {
  const alerts = new Alerts(
    { server: "host-1", env: process.env, retries: { maxDelayMs: 1 }, ...options },
    log,
  );
  t.teardown(() => alerts.close());
  return { alerts, log };
}

const states = (received: readonly Received[]) =>
  received.map(({ message }) => `${message.key} ${message.status}`);

test("a condition is told once, and once more when it is over", async (t) => {
  const { url, received, until } = await listen(t);
  const { alerts } = alertsTo(t, { webhook: { url } });
  alerts.update([OLD]);
  alerts.update([{ ...OLD, message: "28 hours old", since: "2026-11-28T12:00:00.000Z" }, LAG]);
  t.deepEqual(
    alerts.active.map(({ message, since }) => [message, since]),
    [
      ["28 hours old", OLD.since],
      [LAG.message, LAG.since],
    ],
  );
  alerts.update([LAG], new Date("2026-11-28T13:00:00Z"));
  alerts.update([LAG]);
  await until(3);
  t.deepEqual(states(received), [
    "backup-too-old/primary firing",
    "sync-lag firing",
    "backup-too-old/primary resolved",
  ]);
  const [first, , last] = received;
  const { id, ...rest } = first?.message ?? {};
  t.deepEqual(rest, { format: 1, status: "firing", ...OLD, server: "host-1" });
  t.regex(id ?? "", /^[0-9a-f-]{36}$/);
  t.is(last?.message.endedAt, "2026-11-28T13:00:00.000Z");
  t.is(last?.message.since, OLD.since);
  t.is(first?.headers["x-backuptool-signature"], undefined);
});

test("the signature is the HMAC of the body, with the secret that is in the file now", async (t) => {
  const secretFile = join(newFolder(), "secret");
  writeFileSync(secretFile, `${SECRET}\n`, { mode: 0o600 });
  const { url, received, until } = await listen(t);
  const { alerts } = alertsTo(t, { webhook: { url, secretFile } });
  alerts.update([OLD]);
  await until(1);
  writeFileSync(secretFile, "rotated");
  alerts.update([]);
  await until(2);
  for (const [i, secret] of [SECRET, "rotated"].entries()) {
    const { body, headers } = received[i] ?? t.fail();
    const digest = createHmac("sha256", secret).update(body).digest("hex");
    t.is(headers["x-backuptool-signature"], `sha256=${digest}`);
  }
});

test("a webhook that fails gets each message again, in order", async (t) => {
  const { url, received, until } = await listen(t, (response, { length }) => {
    if (length % 3 === 1) response.socket?.destroy();
    else if (length % 3 === 2) response.writeHead(503).end();
    else response.writeHead(200).end("ok");
  });
  const { alerts, log } = alertsTo(t, { webhook: { url } });
  alerts.update([OLD]);
  alerts.update([]);
  await until(6);
  t.deepEqual(states(received), [
    ...Array.from({ length: 3 }, () => "backup-too-old/primary firing"),
    ...Array.from({ length: 3 }, () => "backup-too-old/primary resolved"),
  ]);
  const ids = received.map(({ message }) => message.id);
  t.is(new Set(ids.slice(0, 3)).size, 1);
  t.is(new Set(ids).size, 2);
  t.true(log.lines.some((line) => /retrying.*answered with status 503/.test(line)));
});

test("a message that a webhook rejects for good does not hold up the next one", async (t) => {
  const { url, received, until } = await listen(t, (response, { length }) => {
    response.writeHead(length === 1 ? 400 : 204).end();
  });
  const { alerts, log } = alertsTo(t, { webhook: { url } });
  alerts.update([OLD, LAG]);
  await until(2);
  t.deepEqual(states(received), ["backup-too-old/primary firing", "sync-lag firing"]);
  t.true(log.lines.some((line) => line.startsWith("Alert not sent {") && line.includes("400")));
});

test("a redirect is not followed, and no log names more than the origin of the webhook", async (t) => {
  const { url, received, until } = await listen(t, (response) => {
    response.writeHead(307, { location: `/elsewhere/${SECRET}` }).end();
  });
  const log = memoryLog();
  const { alerts } = alertsTo(t, { webhook: { url } }, log);
  alerts.update([OLD, LAG]);
  await until(2);
  t.is(received.length, 2);
  await alerts.close();
  const unreachable = alertsTo(t, { webhook: { url: `http://127.0.0.1:1/${SECRET}` } }, log).alerts;
  unreachable.update([OLD]);
  while (!log.lines.some((line) => line.includes("ECONNREFUSED"))) await sleep(5);
  t.false(
    log.lines.some((line) => line.includes(SECRET)),
    log.lines.join("\n"),
  );
  t.true(log.lines.some((line) => line.includes("webhook http://127.0.0.1:")));
});

test("a webhook that never ends its answer is not read for ever", async (t) => {
  const { url, until } = await listen(t, (response) => {
    const more = () => {
      while (response.write(Buffer.alloc(64 << 10)));
    };
    response.writeHead(200);
    response.on("drain", more);
    more();
  });
  const { alerts, log } = alertsTo(t, { webhook: { url } });
  alerts.update([OLD]);
  alerts.update([]);
  await until(2);
  t.true(log.lines.some((line) => line.startsWith("Alert sent")));
});

test("the end does not wait for a webhook that hangs", async (t) => {
  const { url, until } = await listen(t, () => {});
  const { alerts, log } = alertsTo(t, { webhook: { url } });
  alerts.update([OLD]);
  await until(1);
  await alerts.close();
  t.false(log.lines.some((line) => line.startsWith("Alert not sent")));
});

test("what a new leader alerts, the old one does not call over", async (t) => {
  const { url, received, until } = await listen(t);
  const { alerts } = alertsTo(t, { webhook: { url } });
  alerts.update([OLD]);
  alerts.forget();
  t.deepEqual(alerts.active, []);
  alerts.update([]);
  alerts.update([LAG]);
  await until(2);
  t.deepEqual(states(received), ["backup-too-old/primary firing", "sync-lag firing"]);
});

test("a URL that is none is an error that does not repeat it", (t) => {
  const error = t.throws(() => alertsTo(t, { webhook: { url: `https://${SECRET}:x:y` } }));
  t.is(error?.message, "alert-webhook is not a URL");
});

test("a command gets the JSON on standard input, and no credentials in its environment", async (t) => {
  const folder = newFolder();
  const [out, variables] = [join(folder, "out"), join(folder, "env")];
  const { alerts, log } = alertsTo(t, {
    command: `env >'${variables}'; cat >>'${out}'; echo 'paged the operator' >&2`,
    env: {
      ...process.env,
      AWS_SECRET_ACCESS_KEY: SECRET,
      SECONDARY_AWS_SECRET_ACCESS_KEY: SECRET,
      BACKUPTOOL_PASSPHRASE: SECRET,
      LD_PRELOAD: "",
    },
  });
  alerts.update([OLD]);
  alerts.update([]);
  const sent = () => log.lines.filter((line) => line.startsWith("Alert sent"));
  while (sent().length < 2) await sleep(10);
  const messages = readFileSync(out, "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  t.deepEqual(
    messages.map(({ status }) => status),
    ["firing", "resolved"],
  );
  const names = readFileSync(variables, "utf8").trimEnd().split("\n");
  t.true(names.includes("BACKUPTOOL_ALERT=backup-too-old"));
  t.true(names.includes("BACKUPTOOL_ALERT_STATUS=resolved"));
  t.false(names.some((line) => line.includes(SECRET) || line.startsWith("LD_PRELOAD")));
  t.true(log.lines.some((line) => line.includes("paged the operator")));
});

test("a command that fails is started again, and no message repeats its words", async (t) => {
  const marker = join(newFolder(), "marker");
  const { alerts, log } = alertsTo(t, {
    command: `: ${SECRET}; [ -e '${marker}' ] || { touch '${marker}'; exit 7; }`,
  });
  alerts.update([OLD]);
  while (!log.lines.some((line) => line.startsWith("Alert sent"))) await sleep(10);
  t.true(log.lines.some((line) => line.includes("failed with exit code 7")));
  t.false(log.lines.some((line) => line.includes(SECRET)));
});

test("a command that hangs is ended with all that it started", async (t) => {
  const folder = newFolder();
  const pids = join(folder, "pids");
  const command = new AlertCommand({
    command: `sleep 1000 & echo $! >'${pids}'; sleep 1000`,
    env: process.env,
    timeoutMs: 500,
    onOutput: () => {},
  });
  const { signal } = new AbortController();
  await t.throwsAsync(command.send(firing(OLD, "host-1"), signal), {
    message: "the alert command took too long and was ended",
  });
  t.true(existsSync(pids));
  const pid = Number(readFileSync(pids, "utf8"));
  while (isRunning(pid)) await sleep(10);
  t.pass();
});

test("the end stops a command that runs", async (t) => {
  const marker = join(newFolder(), "started");
  const { alerts } = alertsTo(t, { command: `touch '${marker}'; sleep 1000` });
  alerts.update([OLD]);
  while (!existsSync(marker)) await sleep(10);
  await alerts.close();
  t.pass();
});

/** A zombie, whose parent is gone and not replaced by an init, has ended too. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}
