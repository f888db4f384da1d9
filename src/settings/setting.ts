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
