import { isDeepStrictEqual } from "node:util";
import { BackupToolError, UsageError } from "../errors.js";
import type { ServerOptions } from "../settings/server-options.js";
import type { Log } from "./log.js";
import type { BackupServer } from "./server.js";

/** Reads the options again. Wrong ones change nothing; what was opened at the start keeps those it has. */
export async function reloadOptions(
  server: BackupServer,
  read: () => Promise<ServerOptions>,
  log: Log,
): Promise<void> {
  try {
    const options = await read();
    const { secondary } = server.sites;
    if ((options.stores().secondary === undefined) !== (secondary === undefined)) {
      throw new UsageError("a secondary store comes or goes only with a restart");
    }
    for (const part of ["http", "leader", "alerts", "shutdownGraceMs"] as const) {
      if (!isDeepStrictEqual(options[part], server.options[part])) {
        log.warn({ part }, "These settings have changed, and need a restart");
      }
    }
    server.use(options);
    server.metrics.configRead(true);
    log.info("The configuration was read again");
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    server.metrics.configRead(false);
    const { message, hint } = error;
    log.error({ hint }, `The configuration cannot be read, and stays as it was: ${message}`);
  }
}
