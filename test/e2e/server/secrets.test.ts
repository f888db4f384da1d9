import { chmodSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { RunningServer } from "../../support/program/running-server.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

/** In every planted secret. */
const PLANTED = "PLANTED";

test("no secret of any source reaches the log, an answer or an alert", async (t) => {
  const etcd = await EtcdServer.start();
  await etcd.put(Buffer.from("key"), Buffer.from("value"));
  const folder = newFolder();
  const secret = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    chmodSync(path, 0o600);
    return path;
  };
  const bodies: string[] = [];
  const webhook = createServer((request, answer) => {
    request.on("data", (bytes: Buffer) => bodies.push(bytes.toString()));
    request.on("end", () => answer.writeHead(500).end(`${PLANTED}-answer`));
  });
  await new Promise<void>((resolve) => webhook.listen(0, "127.0.0.1", resolve));
  const { port } = webhook.address() as AddressInfo;
  const credentials = {
    accessKeyID: `${PLANTED}-access`,
    secretAccessKey: `${PLANTED}-key`,
    sessionToken: `${PLANTED}-session`,
    endpoint: "http://127.0.0.1:9",
    region: "us-east-1",
  };
  const server = await RunningServer.start(
    [
      ...["--store", `file://${newFolder()}`, "--secondary-store", "s3://bucket/prefix"],
      ...["--etcd", etcd.endpoint, "--skip-ceph", "--no-leader-election", "--verbose"],
      ...["--user", `root:${PLANTED}-etcd`, "--incremental-schedule", "*/2 * * * * *"],
      ...["--passphrase-file", secret("passphrase", `${PLANTED}-passphrase`)],
      ...["--server-token-file", secret("token", `${PLANTED}-token-long-enough-to-be-one`)],
      ...["--alert-webhook", `http://user:${PLANTED}@127.0.0.1:${port}/${PLANTED}-path?${PLANTED}`],
      ...["--alert-webhook-secret-file", secret("hmac", `${PLANTED}-hmac`)],
      ...["--alert-command", `cat >/dev/null; echo done # ${PLANTED}-command`],
      ...["--max-sync-lag-alert", "1s"],
    ],
    {
      BACKUPTOOL_PASSPHRASE: undefined,
      BACKUPTOOL_NEW_PASSPHRASE: `${PLANTED}-new`,
      SECONDARY_AWS_APPLICATION_CREDENTIALS_JSON: secret("s3.json", JSON.stringify(credentials)),
      AWS_SECRET_ACCESS_KEY: `${PLANTED}-of-another`,
    },
  );
  const answers: string[] = [];
  try {
    await server.until("an alert", async () => bodies.length > 0);
    await server.logged("Backup stored");
    for (const path of ["/", "/status", "/config", "/metrics", "/snapshots", "/snapshot/latest"]) {
      answers.push(await server.text(path));
    }
    for (const token of [undefined, "wrong", `${PLANTED}-token-long-enough-to-be-one`]) {
      answers.push(await (await server.post("/snapshot/full", token)).text());
    }
    await server.logged("Alert not sent yet, retrying", ({ receiver }) =>
      String(receiver).startsWith("webhook"),
    );
  } finally {
    await server.stop();
    webhook.close();
    await etcd.stop();
  }
  t.true(answers.every((answer) => answer.length > 0));
  for (const text of [server.output, ...answers, ...bodies]) {
    t.false(text.includes(PLANTED), text.slice(0, 2000));
  }
});
