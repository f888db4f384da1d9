import { SettingError, UsageError } from "../../errors.js";
import type { Warn } from "../../files/secret-files.js";
import { absSettings } from "../abs/settings.js";
import type { StoreConfig } from "../config.js";
import { gcsSettings } from "../gcs/settings.js";
import { rcloneSettings } from "../rclone/settings.js";
import { ecsSettings, ocsSettings, ossSettings, s3Settings } from "../s3/settings.js";
import { swiftSettings } from "../swift/settings.js";
import { endpointUrl } from "./endpoint-url.js";
import {
  isRcloneRemote,
  parseLocation,
  parsePrefix,
  parseProvider,
  type StoreLocation,
} from "./location.js";
import {
  type Environment,
  type OfRole,
  StoreEnvironment,
  type StoreRole,
  settingOf,
} from "./roles.js";
import { cleartextSecret } from "./cleartext-secret.js";

/** The settings of a store, by their names for the primary. */
export const STORE_SETTINGS = [
  "store",
  "storage-provider",
  "store-container",
  "store-prefix",
  "store-endpoint-override",
] as const;

/** The settings of the stores of an operation. */
export type StoreSettings = {
  readonly [Name in OfRole<(typeof STORE_SETTINGS)[number]>]?: string | undefined;
};

/**
 * The configuration of a store from settings, variables and credential files; undefined if no setting names it.
 *
 * @param warn receives warnings about secrets that others can read, in a file or on the network
 * @throws UsageError with the setting, variable, file and field, never with a secret
 */
export function storeConfig(
  settings: StoreSettings,
  role: StoreRole,
  env: Environment,
  warn: Warn = () => {},
): StoreConfig | undefined {
  const own = new StoreEnvironment(role, env, warn);
  const location = locationOf(settings, role);
  if (location === undefined) return undefined;
  const override = settingOf(role, "store-endpoint-override");
  const given = settings[override];
  const endpoint = given && endpointUrl(given, (problem) => new SettingError(override, problem));
  if (endpoint !== undefined && ["Local", "Rclone"].includes(location.provider)) {
    throw new SettingError(override, `is not supported by ${location.provider} stores`);
  }
  const config = configOf(location, own, endpoint, env["RCLONE_CONFIG"]);
  const secret = cleartextSecret(config);
  if (secret !== undefined) {
    warn(`${secret} of the ${role} store is sent over http:// without encryption`);
  }
  return config;
}

/** As {@link storeConfig}, for a store that the operation requires. */
export function requiredStore(
  settings: StoreSettings,
  role: StoreRole,
  env: Environment,
  warn: Warn = () => {},
): StoreConfig {
  const config = storeConfig(settings, role, env, warn);
  if (config !== undefined) return config;
  throw new UsageError(`there is no ${role} store`, {
    hint: "set its short form, or provider and container",
    settings: (["store", "storage-provider", "store-container"] as const).map((name) =>
      settingOf(role, name),
    ),
  });
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

function locationOf(settings: StoreSettings, role: StoreRole): StoreLocation | undefined {
  const names = {
    short: settingOf(role, "store"),
    provider: settingOf(role, "storage-provider"),
    container: settingOf(role, "store-container"),
    prefix: settingOf(role, "store-prefix"),
    endpoint: settingOf(role, "store-endpoint-override"),
  };
  const {
    [names.short]: short,
    [names.provider]: provider,
    [names.container]: container,
  } = settings;
  const prefix = parsePrefix(names.prefix, settings[names.prefix] ?? "");
  if (short !== undefined) {
    const location = parseLocation(names.short, short);
    return { ...location, prefix: [location.prefix, prefix].filter((one) => one !== "").join("/") };
  }
  if (provider === undefined && container === undefined) {
    const alone = [names.prefix, names.endpoint].find((name) => settings[name] !== undefined);
    if (alone === undefined) return undefined;
    throw new SettingError(alone, "needs a store", { hint: "name it", settings: [names.short] });
  }
  if (provider === undefined) throw incomplete(names.container, names.provider);
  if (container === undefined) throw incomplete(names.provider, names.container);
  const kind = parseProvider(names.provider, provider);
  if (kind === "Rclone" && !isRcloneRemote(container)) {
    throw new SettingError(names.container, "of an Rclone store must be remote:path");
  }
  return { provider: kind, container, prefix };
}

function incomplete(given: string, missing: string): SettingError {
  return new SettingError(given, "is not enough to name a store", {
    hint: "set provider and container",
    settings: [missing],
  });
}
