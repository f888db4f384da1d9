import http from "node:http";

/**
 * Preloaded with `node --import`: servers keep idle connections, whatever else they are told. (Azurite
 * ends them after 5 seconds, maybe just as one is used again, and reads its flag by a wrong name.)
 */
const { createServer } = http;
http.createServer = ((...args: Parameters<typeof createServer>) =>
  Object.defineProperty(createServer(...args), "keepAliveTimeout", {
    get: () => 0,
    set: () => {},
  })) as typeof createServer;
