import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { ListObjectsV2Command } from "@aws-sdk/client-s3";
import test from "ava";
import { AbsStore } from "../../../src/snapstore/abs/store.js";
import { HTTP_DEADLINES, HttpClient } from "../../../src/snapstore/http/client.js";
import { ProxySettings } from "../../../src/snapstore/proxy/settings.js";
import { DEADLINES, s3Client } from "../../../src/snapstore/s3/client.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { Authority } from "../../support/network/certificates.js";
import { newFolder } from "../../support/folders.js";
import { TlsFront } from "../../support/network/tls-front.js";
import { WebProxy } from "../../support/network/web-proxy.js";

const BODY = "<ListBucketResult></ListBucketResult>";

/** A server that never closes a connection, and responds after `answerMs`. */
async function patientServer(answerMs = 0): Promise<{ server: Server; url: URL; made: Socket[] }> {
  const made: Socket[] = [];
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, async (_, answer) => {
    await sleep(answerMs);
    answer.writeHead(200, { "content-length": BODY.length, etag: '"1"' });
    answer.end(BODY);
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

function azureStore(url: URL): SnapStore {
  const credentials = { kind: "shared-key", account: "a", key: "a2V5" } as const;
  const place = { provider: "ABS", container: "b", prefix: "", credentials } as const;
  return new AbsStore({ ...place, endpoint: `${url.origin}/a` });
}

test("a connection is reused, and closed after its idle time", async (t) => {
  const { server, url, made } = await patientServer();
  t.teardown(() => closed(server));
  const http = new HttpClient();
  t.teardown(() => http.close());
  for (let i = 0; i < 3; i++) await (await http.send({ method: "GET", url })).drop();
  t.is(made.length, 1);
  // Times out if the client keeps the connection open.
  await once(made[0] as Socket, "close");
  await (await http.send({ method: "GET", url })).drop();
  t.is(made.length, 2);
});

test("the SDK of Amazon reuses a connection, and closes it after its idle time", async (t) => {
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

test("the SDK of Azure reuses a connection, and closes it after its idle time", async (t) => {
  const { server, url, made } = await patientServer();
  t.teardown(() => closed(server));
  const store = azureStore(url);
  t.teardown(() => store.close());
  const read = async () => {
    for await (const _ of store.get("k"));
  };
  for (let i = 0; i < 3; i++) await read();
  t.is(made.length, 1);
  await once(made[0] as Socket, "close");
  await read();
  t.is(made.length, 2);
});

test("connections through a proxy are reused, and closed after their idle time", async (t) => {
  const { server, url } = await patientServer();
  t.teardown(() => closed(server));
  const authority = new Authority(newFolder(), "authority");
  const certificate = authority.sign("server", "DNS:store.test");
  const front = await TlsFront.start(url.href, certificate);
  t.teardown(() => front.close());
  const proxy = await WebProxy.start({ "store.test:80": url.href, "store.test:443": front.url });
  t.teardown(() => proxy.close());
  const caCertificate = readFileSync(authority.cacert, "utf8");
  const settings = new ProxySettings({ ALL_PROXY: proxy.url() });
  const http = new HttpClient({ caCertificate }, HTTP_DEADLINES, settings);
  t.teardown(() => http.close());
  for (const scheme of ["http", "https"]) {
    const call = async () => {
      const answer = await http.send({ method: "GET", url: new URL(`${scheme}://store.test/`) });
      await answer.drop();
    };
    const before = proxy.connections.length;
    for (let i = 0; i < 3; i++) await call();
    t.is(proxy.connections.length, before + 1, scheme);
    await once(proxy.connections.at(-1) as Socket, "close");
    await call();
    t.is(proxy.connections.length, before + 2, scheme);
  }
});

test("a response may take longer than the idle time", async (t) => {
  const { server, url, made } = await patientServer(18_000);
  t.teardown(() => closed(server));
  const http = new HttpClient();
  t.teardown(() => http.close());
  const credentials = { accessKeyId: "k", secretAccessKey: "s" };
  const place = { provider: "S3", container: "b", prefix: "", pathStyle: true } as const;
  const client = s3Client({ ...place, credentials, endpoint: url.href }, DEADLINES);
  t.teardown(() => client.destroy());
  const azure = azureStore(url);
  t.teardown(() => azure.close());
  const [answer] = await Promise.all([
    http.send({ method: "GET", url }),
    client.send(new ListObjectsV2Command({ Bucket: "b" })),
    azure.head("k"),
  ]);
  t.is(answer.status, 200);
  t.is(made.length, 3);
});
