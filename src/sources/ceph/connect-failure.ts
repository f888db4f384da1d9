import { access, constants, stat } from "node:fs/promises";
import { quoted } from "../../quoted.js";
import type { CephOptions } from "./connect-settings.js";
import { CephError } from "./errors.js";

/**
 * Checks a file that librados is to read. It must be a regular one: from a pipe librados reads nothing once a process
 * writes to it.
 *
 * @throws CephError `CEPH_CONNECT`
 */
export async function checkReadable(path: string, flag: string): Promise<void> {
  try {
    await access(path, constants.R_OK);
    if (!(await stat(path)).isFile()) throw new Error("it is not a regular file");
  } catch (cause) {
    throw new CephError(
      "CEPH_CONNECT",
      `ceph: ${flag} ${quoted(path)} cannot be read`,
      { operation: "connect" },
      {
        cause,
        hint: "it must be a regular file; check the path and its permissions, or use --skip-ceph",
      },
    );
  }
}

/** The error of a failed connect, with the likely reason. */
export function connectFailure(
  cause: CephError,
  user: string,
  { conf }: Pick<CephOptions, "conf">,
): CephError {
  const { errnoName = "" } = cause;
  const { reason, hint } = REASONS[errnoName] ?? { reason: errnoName };
  return new CephError(
    "CEPH_CONNECT",
    `ceph: cannot connect as ${quoted(user)} with ${quoted(conf)}: ${reason}`,
    { operation: "connect", errnoName },
    { hint },
  );
}

interface Reason {
  readonly reason: string;
  readonly hint?: string;
}

const REASONS: Readonly<Record<string, Reason>> = {
  ETIMEDOUT: {
    reason: "no monitor answers (ETIMEDOUT)",
    hint: "are mon_host in ceph.conf and the network right?",
  },
  ENOENT: {
    reason: "no key for this user, or no monitors in ceph.conf (ENOENT)",
    hint: "name the keyring with --keyring and the user with --ceph-user",
  },
  EACCES: {
    reason: "the key is not accepted (EACCES)",
    hint: "check --ceph-user and --keyring",
  },
  EPERM: {
    reason: "the key is not accepted (EPERM)",
    hint: "check --ceph-user and --keyring",
  },
  EINVAL: {
    reason: "ceph.conf is not valid (EINVAL)",
    hint: "check --cephconf, --ceph-user and --keyring",
  },
  ENOTSUP: {
    reason: "no way to authenticate (ENOTSUP)",
    hint: "name the keyring with --keyring",
  },
  EOPNOTSUPP: {
    reason: "no way to authenticate (EOPNOTSUPP)",
    hint: "name the keyring with --keyring",
  },
};
