import { SettingError } from "../errors.js";
import type { BackupLocation } from "../operations/open/backup-location.js";
import { parseSnapshotName } from "../snapshots/name.js";
import type { StoreConfig } from "../snapstore/config.js";
import { settingOf } from "../snapstore/settings/roles.js";
import {
  requiredStore,
  STORE_SETTINGS,
  type StoreSettings,
  storeConfig,
} from "../snapstore/settings/store-settings.js";
import type { SettingsContext } from "./setting.js";

/** The default folder, as in the original tool. */
export const DEFAULT_FOLDER = "backup.dir";

interface LocationSettings extends StoreSettings {
  readonly outputdir?: string | undefined;
  readonly snapshot?: string | undefined;
  readonly from?: "primary" | "secondary" | "newest-complete" | undefined;
}

/** The location of a backup to read: a folder, or a snapshot in a store. @throws UsageError */
export function backupLocation(
  settings: LocationSettings,
  { env, warn }: SettingsContext,
): BackupLocation {
  const { outputdir, snapshot = "latest", from = "primary" } = settings;
  if (outputdir !== undefined) return { kind: "folder", folder: outputdir };
  if (from !== "primary") {
    const stores: StoreConfig[] = [];
    if (from === "newest-complete") stores.push(requiredStore(settings, "primary", env, warn));
    stores.push(requiredStore(settings, "secondary", env, warn));
    return { kind: "snapshot", stores, snapshot };
  }
  const isNeeded = settings.snapshot !== undefined || settings.from !== undefined;
  const store = (isNeeded ? requiredStore : storeConfig)(settings, from, env, warn);
  if (store !== undefined) return { kind: "snapshot", stores: [store], snapshot };
  checkNotOnlySecondary(settings);
  return { kind: "folder", folder: DEFAULT_FOLDER };
}

/** The store that `from` chooses. @throws UsageError */
export function chosenStore(
  settings: StoreSettings & { readonly from: "primary" | "secondary" },
  { env, warn }: SettingsContext,
): StoreConfig {
  const store = storeConfig(settings, settings.from, env, warn);
  if (store !== undefined) return store;
  if (settings.from === "primary") checkNotOnlySecondary(settings);
  return requiredStore(settings, settings.from, env, warn);
}

/** @throws UsageError for settings of the secondary store, where those of a primary one are missing */
function checkNotOnlySecondary(settings: StoreSettings): void {
  const given = STORE_SETTINGS.map((name) => settingOf("secondary", name)).find(
    (name) => settings[name] !== undefined,
  );
  if (given === undefined) return;
  throw new SettingError(given, "is set, but no primary store", {
    hint: "choose the secondary one",
    settings: ["from=secondary"],
  });
}

/** The base of an incremental: `latest` or a name in the primary store, or else a folder. @throws UsageError */
export function baseLocation(
  given: string | undefined,
  primary: StoreConfig | undefined,
): BackupLocation | undefined {
  if (given === undefined) return undefined;
  const isSnapshot = given === "latest" || parseSnapshotName(given) !== undefined;
  if (primary === undefined || !isSnapshot) return { kind: "folder", folder: given };
  return { kind: "snapshot", stores: [primary], snapshot: given };
}
