import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import test from "ava";
import { HttpClient } from "../../src/snapstore/http/client.js";
import { DEADLINES, s3Client } from "../../src/snapstore/s3/client.js";

/** A server that never closes a connection, and answers after `answerMs`. */
async function patientServer(answerMs = 0): Promise<{ server: Server; url: URL; made: Socket[] }> {
  const made: Socket[] = [];
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, async (_, answer) => {
    await sleep(answerMs);
    answer.end("<ListBucketResult></ListBucketResult>");
  });
  server.on("connection", (socket) => made.push(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return { server, url: new URL(`http://127.0.0.1:${port}/`), made };
}

function closed(server: Server): void {
  server.closeAllConnections();
  server.close();
}

test("a connection serves the next call, and is closed when it stays idle", async (t) => {
  const { server, url, made } = await patientServer();
  t.teardown(() => closed(server));
  const http = new HttpClient();
  t.teardown(() => http.close());
  for (let i = 0; i < 3; i++) await (await http.send({ method: "GET", url })).drop();
  t.is(made.length, 1);
  // A client that kept it for ever would not close it; then this waits until the test times out.
  await once(made[0] as Socket, "close");
  await (await http.send({ method: "GET", url })).drop();
  t.is(made.length, 2);
});

test("so does one of Amazon's SDK", async (t) => {
  const { server, url, made } = await patientServer();
  t.teardown(() => closed(server));
  const credentials = { accessKeyId: "k", secretAccessKey: "s" };
  const place = { provider: "S3", container: "b", prefix: "", pathStyle: true } as const;
  const client = s3Client({ ...place, credentials, endpoint: url.href }, DEADLINES);
  t.teardown(() => client.destroy());
  for (let i = 0; i < 3; i++) await client.send(new ListObjectsV2Command({ Bucket: "b" }));
  t.is(made.length, 1);
  await once(made[0] as Socket, "close");
  await client.send(new ListObjectsV2Command({ Bucket: "b" }));
  t.is(made.length, 2);
});

test("an answer that takes longer than a connection stays idle is waited for", async (t) => {
  const { server, url, made } = await patientServer(18_000);
  t.teardown(() => closed(server));
  const http = new HttpClient();
  t.teardown(() => http.close());
  const credentials = { accessKeyId: "k", secretAccessKey: "s" };
  const place = { provider: "S3", container: "b", prefix: "", pathStyle: true } as const;
  const client = s3Client({ ...place, credentials, endpoint: url.href }, DEADLINES);
  t.teardown(() => client.destroy());
  const [answer] = await Promise.all([
    http.send({ method: "GET", url }),
    client.send(new ListObjectsV2Command({ Bucket: "b" })),
  ]);
  t.is(answer.status, 200);
  t.is(made.length, 2);
});
