import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { CephOptions } from "../../sources/ceph/cluster.js";
import type { EtcdOptions } from "../../sources/etcd/cluster.js";
import { parseEndpoint, usesTls } from "../../sources/etcd/endpoint.js";
import { loginOf } from "../../sources/etcd/login.js";
import { parseDuration } from "./durations.js";
import type { cephFlags, etcdFlags, skipFlags } from "../flags.js";
import { type Warn, warnIfOpenToOthers } from "../../files/secret-files.js";
import type { Values } from "../values.js";

/** What the etcd flags say; undefined with `--skip-etcd`. Warns of secrets that others can read. */
export function etcdOptions(
  args: Values<typeof etcdFlags & Pick<typeof skipFlags, "skip-etcd">>,
  warn: Warn,
): EtcdOptions | undefined {
  if (args["skip-etcd"]) return undefined;
  const endpoints = args.etcd
    .flatMap((given) => given.split(","))
    .map((one) => one.trim())
    .filter((one) => one !== "");
  if (endpoints.length === 0) throw new UsageError("--etcd names no endpoint");
  // A mistake in one is told before the passphrase is asked for.
  const parsed = endpoints.map(parseEndpoint);
  const options = {
    endpoints,
    cacert: args.cacert,
    cert: args.cert,
    key: args.key,
    user: args.user,
    password: args.password,
    timeoutMs: parseDuration("etcd-timeout", args["etcd-timeout"]),
  };
  warnIfOpenToOthers("--key", args.key, warn);
  const plain = parsed.filter((endpoint) => !usesTls(endpoint, options));
  if (plain.length > 0 && loginOf(options) !== undefined) {
    const places = plain.map(({ address }) => address).join(", ");
    warn(
      `the password of etcd's user is sent without TLS to ${places}, where everyone on the way can read it: write https://, or give --cacert`,
    );
  }
  return options;
}

/** What the Ceph flags say; undefined with `--skip-ceph`. Warns of a keyring that others can read. */
export function cephOptions(
  args: Values<typeof cephFlags & Pick<typeof skipFlags, "skip-ceph">>,
  warn: Warn,
): CephOptions | undefined {
  if (args["skip-ceph"]) return undefined;
  warnIfOpenToOthers("--keyring", args.keyring, warn);
  const seconds = Math.ceil(parseDuration("ceph-timeout", args["ceph-timeout"]) / 1000);
  return {
    conf: args.cephconf,
    user: args["ceph-user"],
    keyring: args.keyring,
    opTimeoutSeconds: seconds,
    connectTimeoutSeconds: Math.min(seconds, 15),
  };
}

/** @throws UsageError when both are skipped */
export function refuseNothingToDo(args: Values<typeof skipFlags>): void {
  if (args["skip-etcd"] && args["skip-ceph"]) {
    throw new UsageError("--skip-etcd and --skip-ceph together leave nothing to do");
  }
}

/** `FROM:TO` of each `--restore-pool`. */
export function poolMapping(given: readonly string[]): Map<string, string> {
  const mapping = new Map<string, string>();
  const targets = new Map<string, string>();
  for (const text of given) {
    const [from, to, ...more] = text.split(":");
    if (!from || !to || more.length > 0) {
      throw new UsageError(`--restore-pool ${quoted(text)} is not FROM:TO`, {
        hint: "write the pool's name in the backup, a colon, and the pool to restore into",
      });
    }
    const other = targets.get(to);
    if (mapping.has(from)) {
      throw new UsageError(`--restore-pool names ${quoted(from)} twice`);
    }
    if (other !== undefined) {
      throw new UsageError(
        `--restore-pool sends ${quoted(other)} and ${quoted(from)} into one pool, ${quoted(to)}`,
        { hint: "objects of the same name would overwrite each other" },
      );
    }
    mapping.set(from, to);
    targets.set(to, from);
  }
  return mapping;
}
