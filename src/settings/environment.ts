import { type Environment, settingOf, variableOf } from "../snapstore/settings/roles.js";
import { checkedValue } from "./checked-value.js";
import type { Declarations } from "./kinds.js";
import type { Setting } from "./setting.js";

/** The variables of etcd-backup-restore that this program reads as settings. */
const BORROWED = (["primary", "secondary", "source"] as const).flatMap((role) => [
  { variable: variableOf(role, "STORAGE_PROVIDER"), name: settingOf(role, "storage-provider") },
  { variable: variableOf(role, "STORAGE_CONTAINER"), name: settingOf(role, "store-container") },
]);

/** Passphrases, which can be in a variable but in no flag or file. */
const PASSPHRASES = ["passphrase", "new-passphrase"];

/** The variable of a setting: `BACKUPTOOL_SKIP_ETCD` of `skip-etcd`. */
export function settingVariable(name: string): string {
  return `BACKUPTOOL_${name.toUpperCase().replaceAll("-", "_")}`;
}

/** The settings that variables hold. @throws UsageError */
export function settingsOfEnvironment(declarations: Declarations, env: Environment): Setting[] {
  const source = "environment";
  const settings = Object.entries(declarations).flatMap(([name, declaration]): Setting[] => {
    const shown = settingVariable(name);
    const given = env[shown];
    if (given === undefined) return [];
    return [{ name, source, shown, value: checkedValue(name, declaration, given, shown) }];
  });
  for (const { name, variable } of BORROWED) {
    const value = env[variable];
    // Empty means unset in etcd-backup-restore.
    if (value === undefined || value === "" || !Object.hasOwn(declarations, name)) continue;
    if (settings.some((setting) => setting.name === name)) continue;
    settings.push({ name, value, source, shown: variable, borrowed: true });
  }
  for (const name of PASSPHRASES) {
    const shown = settingVariable(name);
    const value = env[shown];
    if (value === undefined || !Object.hasOwn(declarations, `${name}-file`)) continue;
    settings.push({ name, value, source, shown });
  }
  return settings;
}
