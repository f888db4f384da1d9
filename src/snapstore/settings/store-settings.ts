import { UsageError } from "../../errors.js";
import type { StoreConfig } from "../config.js";
import { absSettings } from "../abs/settings.js";
import type { Warn } from "../../files/secret-files.js";
import { endpointUrl } from "./endpoint-url.js";
import { gcsSettings } from "../gcs/settings.js";
import {
  isRcloneRemote,
  parseLocation,
  parsePrefix,
  parseProvider,
  type StoreLocation,
} from "./location.js";
import { rcloneSettings } from "../rclone/settings.js";
import { flagOf, StoreEnvironment, type StoreRole } from "./roles.js";
import { ecsSettings, ocsSettings, ossSettings, s3Settings } from "../s3/settings.js";
import { secretInTheClear } from "./secret-in-the-clear.js";
import { swiftSettings } from "../swift/settings.js";

/** Values of flags by their names as typed. */
type Given = Readonly<Record<string, unknown>>;

/**
 * One store of a command from its flags, its variables and its credential files; undefined when
 * nothing names it.
 *
 * @param flags values by their names as typed
 * @param warn hears of secrets that others can read, in a file or on the way
 * @throws UsageError that names the flag, variable, file and field, and never a secret
 */
export function storeConfig(
  flags: object,
  role: StoreRole,
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn = () => {},
): StoreConfig | undefined {
  const args: Given = Object.fromEntries(Object.entries(flags));
  const own = new StoreEnvironment(role, env, warn);
  const location = locationOf(args, role, own);
  if (location === undefined) return undefined;
  const flag = flagOf(role, "store-endpoint-override");
  const given = textOf(args, flag);
  const endpoint = given === undefined ? undefined : endpointUrl(given, `--${flag}`);
  if (endpoint !== undefined && ["Local", "Rclone"].includes(location.provider)) {
    throw new UsageError(`--${flag} makes no sense: a ${location.provider} store has no endpoint`);
  }
  const config = configOf(location, own, endpoint, env["RCLONE_CONFIG"]);
  const secret = secretInTheClear(config);
  if (secret !== undefined) {
    warn(
      `${secret} of the ${role} store is sent over http://, where everyone on the way can read it`,
    );
  }
  return config;
}

function configOf(
  { provider, container, prefix }: StoreLocation,
  own: StoreEnvironment,
  endpoint: string | undefined,
  rcloneConfig: string | undefined,
): StoreConfig {
  const place = { container, prefix };
  switch (provider) {
    case "Local":
      return { provider, ...place };
    case "S3":
      return { provider, ...place, ...s3Settings(own, endpoint) };
    case "ECS":
      return { provider, ...place, ...ecsSettings(own, endpoint) };
    case "OCS":
      return { provider, ...place, ...ocsSettings(own, endpoint) };
    case "OSS":
      return { provider, ...place, ...ossSettings(own, endpoint) };
    case "ABS":
      return { provider, ...place, ...absSettings(own, endpoint) };
    case "GCS":
      return { provider, ...place, ...gcsSettings(own, endpoint) };
    case "Swift":
      return { provider, ...place, ...swiftSettings(own, endpoint) };
    case "Rclone":
      return { provider, ...place, ...rcloneSettings(own, rcloneConfig) };
  }
}

/** The same, where the command cannot do without. */
export function requiredStore(
  flags: object,
  role: StoreRole,
  env: Readonly<Record<string, string | undefined>>,
  warn: Warn = () => {},
): StoreConfig {
  const config = storeConfig(flags, role, env, warn);
  if (config !== undefined) return config;
  throw new UsageError(`there is no ${role} store`, {
    hint: `use --${flagOf(role, "store")}, or --${flagOf(role, "storage-provider")} and --${flagOf(role, "store-container")}`,
  });
}

function locationOf(
  args: Given,
  role: StoreRole,
  env: StoreEnvironment,
): StoreLocation | undefined {
  const names = ["store", "storage-provider", "store-container", "store-prefix"] as const;
  const [storeFlag, providerFlag, containerFlag, prefixFlag] = names.map((one) =>
    flagOf(role, one),
  );
  const short = textOf(args, storeFlag);
  const provider = textOf(args, providerFlag);
  const container = textOf(args, containerFlag);
  const prefixText = textOf(args, prefixFlag);
  const prefix = prefixText === undefined ? "" : parsePrefix(prefixFlag ?? "", prefixText);
  if (short !== undefined) {
    const location = parseLocation(storeFlag ?? "", short);
    return { ...location, prefix: [location.prefix, prefix].filter((one) => one !== "").join("/") };
  }
  const providerText = provider ?? env.get("STORAGE_PROVIDER");
  const containerText = container ?? env.get("STORAGE_CONTAINER");
  if (providerText === undefined && containerText === undefined) {
    const [lonely] = [prefixFlag, flagOf(role, "store-endpoint-override")].filter(
      (flag) => textOf(args, flag) !== undefined,
    );
    if (lonely === undefined) return undefined;
    throw new UsageError(`--${lonely} is given, but no store: --${storeFlag} is missing`);
  }
  const variables = `${env.nameOf("STORAGE_PROVIDER")} and ${env.nameOf("STORAGE_CONTAINER")} stand for these flags`;
  if (providerText === undefined) {
    throw new UsageError(`--${containerFlag} is given without --${providerFlag}`, {
      hint: variables,
    });
  }
  if (containerText === undefined) {
    throw new UsageError(`--${providerFlag} is given without --${containerFlag}`, {
      hint: variables,
    });
  }
  const where = provider === undefined ? env.nameOf("STORAGE_PROVIDER") : `--${providerFlag}`;
  const kind = parseProvider(where, providerText);
  if (kind === "Rclone" && !isRcloneRemote(containerText)) {
    throw new UsageError(`--${containerFlag} of an Rclone store is remote:path`);
  }
  return { provider: kind, container: containerText, prefix };
}

function textOf(args: Given, flag: string | undefined): string | undefined {
  const value = flag === undefined ? undefined : args[flag];
  return typeof value === "string" ? value : undefined;
}
