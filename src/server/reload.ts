import { isDeepStrictEqual } from "node:util";
import { BackupToolError, UsageError, errorMessage } from "../errors.js";
import type { ServerOptions, ServerStores } from "../settings/server-options.js";
import type { Log } from "./log.js";
import type { BackupServer } from "./server.js";

/** Reads the options again. Wrong ones, and others stores, change nothing. Never throws. */
export async function reloadOptions(
  server: BackupServer,
  read: () => Promise<ServerOptions>,
  log: Log,
): Promise<void> {
  try {
    const options = await read();
    if (!isDeepStrictEqual(placesOf(options.stores()), placesOf(server.sites.stores))) {
      throw new UsageError("the stores are others now", {
        hint: "restart the server to use them",
        settings: ["store", "secondary-store"],
      });
    }
    // What is opened at the start stays as it was.
    const { http, leader, alerts, shutdownGraceMs } = server.options;
    const atStart = { http, leader, alerts, shutdownGraceMs };
    for (const [part, value] of Object.entries(atStart)) {
      if (isDeepStrictEqual(options[part as keyof typeof atStart], value)) continue;
      log.warn({ part }, "These settings have changed, and need a restart");
    }
    server.use({ ...options, ...atStart });
    server.metrics.configRead(true);
    log.info("The configuration was read again");
  } catch (error) {
    server.metrics.configRead(false);
    const message = errorMessage(error);
    const hint = error instanceof BackupToolError ? error.hint : undefined;
    log.error({ hint }, `The configuration cannot be read, and stays as it was: ${message}`);
  }
}

/** Without credentials, which may change. */
function placesOf(stores: ServerStores): unknown {
  return [stores.primary, stores.secondary].map((destination) => {
    if (destination === undefined) return undefined;
    const { provider, container, prefix } = destination.config;
    const endpoint = "endpoint" in destination.config ? destination.config.endpoint : undefined;
    return { provider, container, prefix, endpoint };
  });
}
