import { SettingError } from "../errors.js";
import { parsePeerUrls } from "../sources/etcd/members/peer-urls.js";
import type { memberSettings } from "./member-declarations.js";
import type { Values } from "./kinds.js";

/** Who a member of etcd is. */
export interface MemberIdentity {
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly dataDir: string;
}

/** The member of this machine: all of its settings are required. @throws UsageError */
export function memberIdentity(values: Values<typeof memberSettings>): MemberIdentity {
  const name = required(values, "name");
  if (!/^[\w.-]+$/.test(name)) {
    throw new SettingError("name", "is not a name of a member", {
      hint: "write letters, digits, dots, dashes and underscores",
    });
  }
  const urls = "initial-advertise-peer-urls";
  const peerUrls = parsePeerUrls(required(values, urls), urls);
  return { name, peerUrls, dataDir: required(values, "etcd-data-dir") };
}

function required(
  values: Values<typeof memberSettings>,
  setting: keyof typeof memberSettings,
): string {
  const value = values[setting];
  if (value === undefined || value === "") throw new SettingError(setting, "is needed");
  return value;
}
