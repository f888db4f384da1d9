import { SettingError } from "../errors.js";
import { type Warn, warnIfOpenToOthers } from "../files/secret-files.js";
import type { EtcdOptions } from "../sources/etcd/cluster.js";
import { parseEndpoint, usesTls } from "../sources/etcd/endpoint.js";
import { loginOf } from "../sources/etcd/login.js";
import type { etcdSettings, skipSettings } from "./declarations.js";
import type { Values } from "./kinds.js";

/** The connection to etcd; undefined where etcd is skipped. Warns of secrets that others can read. @throws UsageError */
export function etcdOptions(
  values: Values<typeof etcdSettings & Pick<typeof skipSettings, "skip-etcd">>,
  warn: Warn,
): EtcdOptions | undefined {
  return values["skip-etcd"] ? undefined : requiredEtcdOptions(values, warn);
}

/** The connection to etcd of a command that is about etcd alone. @throws UsageError */
export function requiredEtcdOptions(values: Values<typeof etcdSettings>, warn: Warn): EtcdOptions {
  const { cacert, cert, key, user, password, "etcd-timeout": timeoutMs } = values;
  const endpoints = values.etcd
    .flatMap((given) => given.split(","))
    .map((endpoint) => endpoint.trim())
    .filter((endpoint) => endpoint !== "");
  if (endpoints.length === 0) throw new SettingError("etcd", "names no endpoint");
  // Errors come before the question for the passphrase.
  const parsed = endpoints.map(parseEndpoint);
  const options = { endpoints, cacert, cert, key, user, password, timeoutMs };
  warnIfOpenToOthers("the key of the etcd client", key, warn);
  const plain = parsed.filter((endpoint) => !usesTls(endpoint, options));
  if (plain.length > 0 && loginOf(options) !== undefined) {
    const places = plain.map(({ address }) => address).join(", ");
    warn(
      `the password of etcd's user is sent without TLS to ${places}, where others can read it on its way: write https://, or name the CA certificate`,
      ["cacert"],
    );
  }
  return options;
}
