import { UsageError } from "../../errors.js";
import {
  cephSettings,
  etcdSettings,
  passphraseSettings,
  sealSettings,
  serverEtcdModeSettings,
  skipSettings,
} from "../../settings/declarations.js";
import { repeatable, toggle, valuesOf } from "../../settings/kinds.js";
import { givenPassphrase } from "../../settings/passphrase.js";
import { retentionSettings } from "../../settings/retention.js";
import {
  alertSettings,
  collectionSettings,
  deltaSettings,
  httpSettings,
  leaderSettings,
  processSettings,
  scheduleSettings,
  secondarySyncSettings,
  syncSettings,
  verifySettings,
} from "../../settings/server-declarations.js";
import { serverOptions } from "../../settings/server-options.js";
import {
  secondaryStoreSettings,
  secondaryUploadSettings,
  storeSettings,
  uploadSettings,
} from "../../settings/store-declarations.js";
import { command, flagsOf } from "../command.js";
import { ExitCode } from "../exit-codes.js";

const groups = {
  Schedules: scheduleSettings,
  "Deltas of etcd": deltaSettings,
  "What to back up": {
    "include-pool": { ...repeatable, describe: "Pool to back up; repeatable (default: all)" },
    "skip-pool": { ...repeatable, describe: "Pool to leave out; repeatable" },
    ...skipSettings,
    "keep-going": { ...toggle, describe: "Leave out what cannot be read, and report it" },
  },
  "Primary store": { ...storeSettings, ...uploadSettings },
  "Secondary store": { ...secondaryStoreSettings, ...secondaryUploadSettings },
  "Sync of the secondary": { ...syncSettings, ...secondarySyncSettings },
  "Garbage collection": { ...retentionSettings, ...collectionSettings },
  "Reading back": verifySettings,
  Leader: leaderSettings,
  HTTP: httpSettings,
  Alerts: alertSettings,
  Process: processSettings,
  etcd: { ...etcdSettings, ...serverEtcdModeSettings },
  Ceph: cephSettings,
  "Archive files": sealSettings,
  Passphrase: passphraseSettings,
} as const;

const flags = flagsOf(groups);

export const server = command({
  groups,
  examples: [
    [
      "$0 server --store s3://bucket/prefix --passphrase-file key --skip-ceph",
      "etcd, to one store",
    ],
    [
      "$0 server --store s3://bucket/prefix --secondary-store azblob://container/prefix --passphrase-file key --include-pool btrdbhot",
      "etcd and a pool, to two stores that are kept in step",
    ],
  ],
  async run(args, session) {
    const { runServer } = await import("../../server/run.js");
    const { terminal, toolVersion, warn, env } = session;
    const { stderr, signal } = terminal;
    const context = { env, warn };
    /** As they were read last. */
    let values = args;
    const hangup = new EventTarget();
    terminal.serve?.(args["shutdown-grace"], () => hangup.dispatchEvent(new Event("hangup")));
    const text = args["log-format"] === "auto" ? stderr.isTTY : args["log-format"] === "text";
    await runServer({
      options: serverOptions(args, context, toolVersion),
      reload: async () => {
        const read = valuesOf(flags, await session.readAgain());
        const options = serverOptions(read, context, toolVersion);
        values = read;
        return options;
      },
      hangup,
      version: toolVersion,
      passphrase: (during) => requiredPassphrase(values, { env, warn, stderr, signal: during }),
      stateFolder: session.stateFolder,
      env,
      log: {
        format: text ? "text" : "json",
        level: session.verbose ? "debug" : "info",
        colour: text && stderr.isTTY && !env["NO_COLOR"],
        write: (line) => stderr.write(line),
      },
      signal,
    });
    return ExitCode.done;
  },
});

/** The passphrase of a server, which cannot prompt. @throws UsageError */
async function requiredPassphrase(
  ...[values, context]: [
    Parameters<typeof givenPassphrase>[1],
    Parameters<typeof givenPassphrase>[2],
  ]
): Promise<Uint8Array> {
  const given = await givenPassphrase("passphrase", values, context);
  if (given !== undefined) return given;
  throw new UsageError("the server has no passphrase", {
    hint: "name a file or a command that has it",
    settings: ["passphrase-file", "passphrase-command"],
  });
}
