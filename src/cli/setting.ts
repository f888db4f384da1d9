/** One value of a command's flag, and where it was found. */
export interface Setting {
  /** The flag without its dashes. */
  readonly name: string;
  readonly value: unknown;
  readonly source: "typed" | "environment" | "file";
  /** As messages name it: `--store`, `BACKUPTOOL_STORE`, `store of "backup.yaml"`. */
  readonly shown: string;
  /** The variable's name where it is one of etcd-backup-restore's and not `BACKUPTOOL_<FLAG>`. */
  readonly borrowed?: string;
}
