import { type ChannelCredentials, credentials } from "@grpc/grpc-js";
import { InterruptedError, UsageError } from "../../errors.js";
import { readInputFile } from "../../files/input-file.js";
import { type Endpoint, usesTls } from "./endpoint.js";
import { EtcdError } from "./errors.js";
import type { EtcdOptions } from "./options.js";

/**
 * Reads the TLS files. Resolves with the credentials for an endpoint: TLS with `https://`, and without a scheme
 * where TLS files are given.
 *
 * @throws UsageError when the options contradict each other
 * @throws EtcdError `ETCD_TLS` when a file cannot be used
 */
export async function channelCredentials(
  endpoints: readonly Endpoint[],
  options: EtcdOptions,
  signal?: AbortSignal,
): Promise<(endpoint: Endpoint) => ChannelCredentials> {
  const { cacert, cert, key } = options;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("an etcd client certificate needs its key, and a key its certificate", {
      hint: "give both",
      settings: ["cert", "key"],
    });
  }
  const files = cacert !== undefined || cert !== undefined;
  const open = endpoints.find((endpoint) => endpoint.tls === false);
  if (files && open !== undefined) {
    throw new UsageError(`TLS files are given, but http://${open.address} does not use TLS`, {
      hint: "write https://, or leave the TLS files out",
      settings: ["cacert", "cert", "key"],
    });
  }
  const plain = credentials.createInsecure();
  if (!files && !endpoints.some((endpoint) => endpoint.tls)) return () => plain;
  const [ca, clientCert, clientKey] = await Promise.all([
    pem("cacert", cacert, signal),
    pem("cert", cert, signal),
    pem("key", key, signal),
  ]);
  try {
    const secure = credentials.createSsl(ca, clientKey, clientCert);
    return (endpoint) => (usesTls(endpoint, options) ? secure : plain);
  } catch (cause) {
    throw new EtcdError("ETCD_TLS", `the TLS files for etcd cannot be used: ${String(cause)}`, {
      cause,
      operation: "read TLS files",
      hint: "they must be PEM files, and the key must belong to the certificate",
      settings: ["cacert", "cert", "key"],
    });
  }
}

async function pem(
  option: "cacert" | "cert" | "key",
  path: string | undefined,
  signal: AbortSignal | undefined,
): Promise<Buffer | null> {
  if (path === undefined) return null;
  try {
    return await readInputFile(path, signal);
  } catch (cause) {
    if (cause instanceof InterruptedError) throw cause;
    throw new EtcdError("ETCD_TLS", `the TLS file ${path} for etcd cannot be read`, {
      cause,
      operation: "read TLS files",
      hint: isErrno(cause) ? "check the path and its permissions" : String(cause),
      settings: [option],
    });
  }
}

function isErrno(cause: unknown): boolean {
  return cause instanceof Error && "code" in cause;
}
