import { once } from "node:events";
import { createServer } from "node:http";
import { request } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import test from "ava";
import { ProxySettings } from "../../../src/snapstore/proxy/settings.js";
import { TunnelAgent } from "../../../src/snapstore/proxy/tunnel-agent.js";

test("destroying the agent ends a call whose tunnel is being set up", async (t) => {
  const server = createServer();
  t.teardown(() => server.close());
  server.on("connect", (_, socket: Socket) => {
    socket.on("error", () => {});
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const proxies = new ProxySettings({ HTTPS_PROXY: `http://127.0.0.1:${port}` });
  const agent = new TunnelAgent({}, proxies, 60_000);
  const call = request("https://store.test/", { agent });
  const failed = once(call, "error");
  call.end();
  const [, socket] = await once(server, "connect");
  // The first bytes of TLS: the proxy has responded, and the server never does.
  await once(socket, "data");
  agent.destroy();
  const [error] = await failed;
  t.is(error.code, "ECONNRESET");
  socket.destroy();
});
