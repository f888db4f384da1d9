import http from "node:http";

/**
 * Preloaded with `node --import`: servers keep idle connections open. Azurite would close them after 5 seconds, perhaps
 * while one is being reused, and reads the flag for it by a wrong name.
 */
const { createServer } = http;
http.createServer = ((...args: Parameters<typeof createServer>) =>
  Object.defineProperty(createServer(...args), "keepAliveTimeout", {
    get: () => 0,
    set: () => {},
  })) as typeof createServer;
