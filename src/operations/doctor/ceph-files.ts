import { stat } from "node:fs/promises";
import { readInputFile } from "../../files/input-file.js";
import { quoted } from "../../quoted.js";
import { type CephOptions, userName } from "../../sources/ceph/connect-settings.js";
import { type AreaChecks, step } from "./check.js";

const OTHERS_READ = 0o004;

/** Whether ceph.conf can be read. */
export async function checkConf(
  checks: AreaChecks,
  path: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    await step(signal, (inner) => readInputFile(path, inner));
    checks.ok("ceph.conf", quoted(path));
    return true;
  } catch (error) {
    checks.failedBy("ceph.conf", error, "", "check the path and its permissions", ["cephconf"]);
    return false;
  }
}

/** Whether the keyring can be read, and has the user. False when a connect cannot succeed. */
export async function checkKeyring(
  checks: AreaChecks,
  { keyring, user }: CephOptions,
  signal: AbortSignal,
): Promise<boolean> {
  if (keyring === undefined) {
    checks.skipped("keyring", "none is named; librados looks where ceph.conf says");
    return true;
  }
  const name = userName(user);
  try {
    const bytes = await step(signal, (inner) => readInputFile(keyring, inner));
    const { mode } = await step(signal, () => stat(keyring));
    const users = [...bytes.toString().matchAll(/^\s*\[([^\]\n]+)\]/gm)].map(([, one = ""]) =>
      one.trim(),
    );
    if (!users.includes(name)) {
      const those = users.map(quoted).join(", ") || "no user";
      checks.failed(
        "keyring",
        `${quoted(keyring)} has no key of ${quoted(name)}, only of ${those}`,
        "name the user and its keyring",
        ["ceph-user", "keyring"],
      );
      return false;
    }
    const detail = `${quoted(keyring)} has a key of ${quoted(name)}`;
    if ((mode & OTHERS_READ) === 0) checks.ok("keyring", detail);
    else {
      checks.warning(
        "keyring",
        `${detail}, and every user of this machine may read it`,
        "remove that permission with chmod o-r",
      );
    }
    return true;
  } catch (error) {
    checks.failedBy("keyring", error, "", "check the path and its permissions", ["keyring"]);
    return false;
  }
}
