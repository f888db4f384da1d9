import {
  cephSettings,
  etcdSettings,
  sealSettings,
  serverEtcdModeSettings,
  skipSettings,
} from "../../../src/settings/declarations.js";
import { repeatable, toggle, valuesOf } from "../../../src/settings/kinds.js";
import { retentionSettings } from "../../../src/settings/retention.js";
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
} from "../../../src/settings/server-declarations.js";
import type { SettingValue } from "../../../src/settings/setting.js";
import { type ServerOptions, serverOptions } from "../../../src/settings/server-options.js";
import {
  secondaryStoreSettings,
  secondaryUploadSettings,
  storeSettings,
  uploadSettings,
} from "../../../src/settings/store-declarations.js";

const SETTINGS = {
  ...scheduleSettings,
  ...deltaSettings,
  ...syncSettings,
  ...secondarySyncSettings,
  ...retentionSettings,
  ...collectionSettings,
  ...verifySettings,
  ...leaderSettings,
  ...httpSettings,
  ...alertSettings,
  ...processSettings,
  ...storeSettings,
  ...uploadSettings,
  ...secondaryStoreSettings,
  ...secondaryUploadSettings,
  ...etcdSettings,
  ...serverEtcdModeSettings,
  ...cephSettings,
  ...skipSettings,
  ...sealSettings,
  "include-pool": repeatable,
  "skip-pool": repeatable,
  "keep-going": toggle,
};

/** The options of a server, as flags and variables give them. */
export function optionsOf(
  given: Readonly<Record<string, SettingValue>>,
  env: Readonly<Record<string, string>> = {},
): ServerOptions {
  const settings = Object.entries(given).map(([name, value]) => ({
    name,
    value,
    source: "typed" as const,
    shown: `--${name}`,
  }));
  return serverOptions(valuesOf(SETTINGS, settings), { env, warn: () => {} }, "0.1.0");
}
