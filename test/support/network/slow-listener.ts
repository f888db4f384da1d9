import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** An HTTP server with a backlog of two connections while the process is stopped; further ones wait. */
const server = createServer((_, answer) => {
  answer.end("answered");
});
server.listen({ port: 0, host: "127.0.0.1", backlog: 1 }, () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
