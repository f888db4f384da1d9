import { access, constants, stat } from "node:fs/promises";
import { quoted } from "../../quoted.js";
import { CephError } from "./errors.js";

/**
 * Checks a file for librados. It must be a regular file: librados reads nothing from a pipe.
 *
 * @throws CephError `CEPH_CONNECT`
 */
export async function checkReadable(what: string, path: string, setting: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
    if (!(await stat(path)).isFile()) throw new Error("it is not a regular file");
  } catch (cause) {
    throw new CephError(
      "CEPH_CONNECT",
      `ceph: the ${what} ${quoted(path)} cannot be read`,
      { operation: "connect" },
      {
        cause,
        hint: "it must be a regular file; check the path and its permissions, or leave Ceph out",
        settings: [setting, "skip-ceph"],
      },
    );
  }
}

/** The error of a connect that failed, with the likely reason. */
export function connectFailure(
  { errnoName = "" }: CephError,
  user: string,
  conf: string,
): CephError {
  const [reason, hint, ...settings] = REASONS[errnoName] ?? [errnoName];
  return new CephError(
    "CEPH_CONNECT",
    `ceph: cannot connect as ${quoted(user)} with ${quoted(conf)}: ${reason}`,
    { operation: "connect", errnoName },
    { hint, settings },
  );
}

type Reason = readonly [reason: string, hint?: string, ...settings: readonly string[]];

const REASONS: Readonly<Record<string, Reason>> = {
  ETIMEDOUT: ["no monitor answers (ETIMEDOUT)", "are mon_host in ceph.conf and the network right?"],
  ENOENT: [
    "no key for this user, or no monitors in ceph.conf (ENOENT)",
    "name the keyring and the user",
    "keyring",
    "ceph-user",
  ],
  EACCES: ["the key is not accepted (EACCES)", "check user and keyring", "ceph-user", "keyring"],
  EPERM: ["the key is not accepted (EPERM)", "check user and keyring", "ceph-user", "keyring"],
  EINVAL: [
    "ceph.conf is not valid (EINVAL)",
    "check the file, the user and the keyring",
    "cephconf",
    "ceph-user",
    "keyring",
  ],
  ENOTSUP: ["no way to authenticate (ENOTSUP)", "name the keyring", "keyring"],
  EOPNOTSUPP: ["no way to authenticate (EOPNOTSUPP)", "name the keyring", "keyring"],
};
