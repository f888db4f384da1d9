import { InterruptedError, SettingError } from "../../errors.js";
import { readInputFile } from "../../files/input-file.js";
import { judge, type StatusReport } from "../../operations/status/report.js";
import { parseAge } from "../../settings/duration.js";
import { age, text, type Values } from "../../settings/kinds.js";
import { retentionPolicy, retentionSettings } from "../../settings/retention.js";
import {
  alertSettings,
  secondarySyncSettings,
  syncSettings,
} from "../../settings/server-declarations.js";
import { secondaryStoreSettings, storeSettings } from "../../settings/store-declarations.js";
import { timeZoneSettings } from "../../settings/time-zone.js";
import {
  requiredStore,
  type StoreSettings,
  storeConfig,
} from "../../snapstore/settings/store-settings.js";
import { command } from "../command.js";
import { ExitCode } from "../exit-codes.js";
import type { Session } from "../session.js";

const BY_JUDGEMENT = {
  good: ExitCode.done,
  alert: ExitCode.incomplete,
  unknown: ExitCode.failed,
} as const;

const { default: DEFAULT_MAX_AGE, describe: MAX_AGE } = alertSettings["max-backup-age-alert"];
const { default: DEFAULT_MAX_LAG, describe: MAX_LAG } = alertSettings["max-sync-lag-alert"];

const statusSettings = {
  server: { ...text, describe: "URL of a running server, instead of the stores" },
  "server-cacert": {
    ...text,
    describe: "PEM file of the CA that signed the certificate of the server",
  },
  "max-backup-age-alert": {
    ...age,
    describe: `${MAX_AGE} (default: ${DEFAULT_MAX_AGE}; with a server, what it has)`,
  },
  "max-sync-lag-alert": {
    ...age,
    describe: `${MAX_LAG} (default: ${DEFAULT_MAX_LAG}; with a server, what it has)`,
  },
} as const;

/** What of the primary the secondary is to have: without a server, its settings say it. */
const secondarySettings = {
  "backup-sync-enabled": syncSettings["backup-sync-enabled"],
  "secondary-backup-sync-enabled": secondarySyncSettings["secondary-backup-sync-enabled"],
  "backup-sync-deletion": syncSettings["backup-sync-deletion"],
  ...retentionSettings,
  ...timeZoneSettings,
} as const;

type StatusValues = Values<typeof statusSettings>;

export const status = command({
  groups: {
    "Which status": statusSettings,
    "Primary store": storeSettings,
    "Secondary store": secondaryStoreSettings,
    "What the secondary keeps": secondarySettings,
  },
  examples: [
    ["$0 status --server http://127.0.0.1:8080", "what a server says, exit code 3 if it alerts"],
    [
      "$0 status --store s3://bucket/prefix --secondary-store file:///mnt/backups --max-backup-age-alert 3h --json",
      "two stores without a server, for monitoring",
    ],
  ],
  async run(args, session) {
    const report = await (args.server === undefined
      ? fromStores(args, session)
      : fromServer(args, args.server, session));
    session.report({ type: "status", ...report });
    return BY_JUDGEMENT[judge(report)];
  },
});

async function fromStores(
  args: StatusValues & StoreSettings & Values<typeof secondarySettings>,
  session: Session,
): Promise<StatusReport> {
  const { statusOfStores } = await import("../../operations/status/from-stores.js");
  const { env, warn, toolVersion } = session;
  const enabled = args["backup-sync-enabled"] ?? args["secondary-backup-sync-enabled"] ?? true;
  const mirrors = args["backup-sync-deletion"] === "mirror";
  const retention = {
    policy: retentionPolicy(args),
    timeZone: args["schedule-time-zone"],
    streamPeriodMs: args["delta-snapshot-retention-period"],
  };
  return await statusOfStores(
    {
      primary: requiredStore(args, "primary", env, warn),
      secondary: storeConfig(args, "secondary", env, warn),
      maxAgeMs: args["max-backup-age-alert"] ?? parseAge(DEFAULT_MAX_AGE) ?? 0,
      sync: enabled
        ? {
            maxLagMs: args["max-sync-lag-alert"] ?? parseAge(DEFAULT_MAX_LAG) ?? 0,
            retention: mirrors ? undefined : retention,
          }
        : undefined,
      now: new Date(),
      version: toolVersion,
    },
    session,
  );
}

async function fromServer(
  args: StatusValues,
  url: string,
  { signal }: Session,
): Promise<StatusReport> {
  const { statusOfServer } = await import("../../operations/status/from-server.js");
  const { withLimits } = await import("../../operations/status/limits.js");
  const { "server-cacert": file } = args;
  const caCertificate = file && (await readCertificate(file, signal));
  const report = await statusOfServer({ url, caCertificate }, signal);
  const maxAgeMs = args["max-backup-age-alert"];
  const maxSyncLagMs = args["max-sync-lag-alert"];
  return withLimits(report, { maxAgeMs, maxSyncLagMs });
}

async function readCertificate(path: string, signal: AbortSignal): Promise<string> {
  try {
    return (await readInputFile(path, signal)).toString();
  } catch (cause) {
    if (cause instanceof InterruptedError) throw cause;
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SettingError("server-cacert", `cannot be read: ${why}`, { cause });
  }
}
