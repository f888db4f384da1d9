import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setFlagsFromString } from "node:v8";
import type { StateFolder } from "../operations/open/state-file.js";
import type { ServerOptions } from "../settings/server-options.js";
import type { Environment } from "../snapstore/settings/roles.js";
import { type LogOptions, openLog } from "./log.js";
import { HttpServer } from "./http/http-server.js";
import { reloadOptions } from "./reload.js";
import { BackupServer } from "./server.js";

export interface ServerRun {
  readonly options: ServerOptions;
  /** The options as variables and files say now. @throws UsageError */
  reload(): Promise<ServerOptions>;
  /** Has an event `hangup` when the options are to be read again. */
  readonly hangup: EventTarget;
  readonly version: string;
  passphrase(signal: AbortSignal): Promise<Uint8Array>;
  readonly stateFolder: StateFolder | undefined;
  readonly env: Environment;
  readonly log: LogOptions;
  /** Ends the server. */
  readonly signal: AbortSignal;
}

/**
 * Runs a server until the signal aborts.
 *
 * @throws what an unusable primary store throws, UsageError, LISTEN_FAILED
 */
export async function runServer(run: ServerRun): Promise<void> {
  const { options, version, signal, passphrase, stateFolder, env } = run;
  // For a process that runs for months beside others: with 10,000 snapshots it takes half the memory.
  setFlagsFromString("--optimize-for-size");
  const log = openLog(run.log);
  log.info({ version }, "backuptool server");
  const name = `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`;
  let url = "";
  const server = new BackupServer(options, {
    version,
    log,
    stateFolder,
    env,
    passphrase,
    identity: () => ({ name, url }),
  });
  const { http } = options;
  const listening = await HttpServer.open(http, {
    state: server.view,
    actions: server,
    metrics: server.metrics,
    log,
  });
  url = http.url ?? listening.url;
  log.info({ url }, "Listening");
  const reload = (): void => void reloadOptions(server, run.reload, log);
  run.hangup.addEventListener("hangup", reload);
  const stop = (): void => void server.stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await server.run(signal);
  } finally {
    run.hangup.removeEventListener("hangup", reload);
    await server.stop();
    await listening.close();
    log.info("Stopped");
  }
}
