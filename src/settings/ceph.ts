import { type Warn, warnIfOpenToOthers } from "../files/secret-files.js";
import type { CephOptions } from "../sources/ceph/cluster.js";
import type { cephSettings, skipSettings } from "./declarations.js";
import type { Values } from "./kinds.js";

const MAX_CONNECT_SECONDS = 15;

/** The connection to Ceph; undefined where Ceph is skipped. Warns of a keyring that others can read. */
export function cephOptions(
  values: Values<typeof cephSettings & Pick<typeof skipSettings, "skip-ceph">>,
  warn: Warn,
): CephOptions | undefined {
  if (values["skip-ceph"]) return undefined;
  const { cephconf, keyring, "ceph-user": user, "ceph-timeout": timeoutMs } = values;
  warnIfOpenToOthers("the keyring", keyring, warn);
  const opTimeoutSeconds = Math.ceil(timeoutMs / 1000);
  const connectTimeoutSeconds = Math.min(opTimeoutSeconds, MAX_CONNECT_SECONDS);
  return { conf: cephconf, user, keyring, opTimeoutSeconds, connectTimeoutSeconds };
}
