import type { Warn } from "../files/secret-files.js";
import type { Environment } from "../snapstore/settings/roles.js";

/** The text of a setting, its items, or whether it is on. */
export type SettingValue = string | boolean | readonly string[];

/** One value of a setting, and its source. */
export interface Setting {
  /** Such as `store-prefix`: the flag without its dashes. */
  readonly name: string;
  readonly value: SettingValue;
  readonly source: "typed" | "environment" | "file";
  /** The name of the setting in its source, for messages: `--store`, `BACKUPTOOL_STORE`, `store of "backup.yaml"`. */
  readonly shown: string;
  /** Whether the variable is one of etcd-backup-restore's and not `BACKUPTOOL_<SETTING>`. */
  readonly borrowed?: true;
}

/** What turning settings into options needs besides the settings. */
export interface SettingsContext {
  /** For the credentials of stores, which are not settings. */
  readonly env: Environment;
  readonly warn: Warn;
}
