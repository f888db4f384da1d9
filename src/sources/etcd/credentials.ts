import { readFile } from "node:fs/promises";
import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { UsageError } from "../../errors.js";
import type { Endpoint } from "./endpoint.js";
import { EtcdError } from "./errors.js";
import type { EtcdOptions } from "./options.js";

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** The user and password of the options; `user:password` splits at the first colon, as in etcdctl. */
export function loginOf(options: EtcdOptions): Login | undefined {
  const { user, password } = options;
  if (user === undefined || user === "") {
    if (password !== undefined && password !== "") {
      throw new UsageError("an etcd password without a user", { hint: "give --user too" });
    }
    return undefined;
  }
  if (password !== undefined) return { user, password };
  const colon = user.indexOf(":");
  if (colon < 0) {
    throw new UsageError("an etcd user without a password", {
      hint: "give --password, or --user name:password",
    });
  }
  return { user: user.slice(0, colon), password: user.slice(colon + 1) };
}

/**
 * TLS for an endpoint that says `https://`, or says nothing while TLS files are given.
 *
 * @throws UsageError when the flags contradict each other
 * @throws EtcdError `ETCD_TLS` when a file cannot be used
 */
export async function channelCredentials(
  endpoints: readonly Endpoint[],
  options: EtcdOptions,
): Promise<ChannelCredentials[]> {
  const { cacert, cert, key } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("an etcd client certificate needs its key, and a key its certificate", {
      hint: "give --cert and --key together",
    });
  }
  const files = cacert !== undefined || cert !== undefined;
  const open = endpoints.find((endpoint) => endpoint.tls === false);
  if (files && open !== undefined) {
    throw new UsageError(`TLS files are given, but http://${open.address} is not TLS`, {
      hint: "write https://, or leave --cacert, --cert and --key out",
    });
  }
  const plain = credentials.createInsecure();
  if (!files && !endpoints.some((endpoint) => endpoint.tls)) return endpoints.map(() => plain);
  const [ca, clientCert, clientKey] = await Promise.all([
    pem("--cacert", cacert),
    pem("--cert", cert),
    pem("--key", key),
  ]);
  let secure: ChannelCredentials;
  try {
    secure = credentials.createSsl(ca, clientKey, clientCert);
  } catch (cause) {
    throw new EtcdError("ETCD_TLS", `the TLS files for etcd cannot be used: ${String(cause)}`, {
      cause,
      operation: "read TLS files",
      hint: "--cacert, --cert and --key are PEM files, and the key belongs to the certificate",
    });
  }
  return endpoints.map((endpoint) => (files || endpoint.tls ? secure : plain));
}

async function pem(flag: string, path: string | undefined): Promise<Buffer | null> {
  if (path === undefined) return null;
  try {
    return await readFile(path);
  } catch (cause) {
    throw new EtcdError("ETCD_TLS", `${flag} ${path} cannot be read`, {
      cause,
      operation: "read TLS files",
      hint: "check the path and its permissions",
    });
  }
}
