import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { rootCertificates } from "node:tls";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import { fromTemporaryCredentials, fromTokenFile } from "@aws-sdk/credential-providers";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { S3Config } from "../config.js";
import { signWithDigests } from "./digests.js";

/** Milliseconds. */
export interface S3Deadlines {
  /** Until a connection stands, TLS included. */
  readonly connectMs: number;
  /** A connection on which nothing moves for this long is given up. */
  readonly idleMs: number;
}

export const DEADLINES: S3Deadlines = { connectMs: 10_000, idleMs: 60_000 };

/** One session of a role, as the account's log will show it. */
const SESSION_NAME = "backuptool";
const SOCKETS = 64;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** A client of its own for one store: keys, authorities and connections are shared with nobody. */
export function s3Client(config: S3Config, deadlines: S3Deadlines): S3Client {
  const agent = { keepAlive: true, maxSockets: SOCKETS };
  const tls = {
    rejectUnauthorized: !config.insecureSkipVerify,
    ...(config.caCertificate !== undefined && {
      ca: [...rootCertificates, config.caCertificate],
    }),
  };
  const region = config.region ?? (config.endpoint === undefined ? undefined : "us-east-1");
  const handler = new NodeHttpHandler({
    connectionTimeout: deadlines.connectMs,
    socketTimeout: deadlines.idleMs,
    httpAgent: new HttpAgent(agent),
    httpsAgent: new HttpsAgent({ ...agent, ...tls }),
    logger: SILENT,
  });
  const credentials = credentialsOf(config, region, handler);
  const client = new S3Client({
    ...(config.endpoint !== undefined && { endpoint: config.endpoint }),
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
    forcePathStyle: config.pathStyle ?? config.endpoint !== undefined,
    // Tries again are ours: the SDK's would hide how often, and end the deadlines.
    maxAttempts: 1,
    // Older radosgw and others know no trailing checksums; the signature has a digest of the bytes.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // The region of a bucket elsewhere is learned from the refusal.
    followRegionRedirects: config.endpoint === undefined,
    logger: SILENT,
    requestHandler: handler,
  });
  signWithDigests(client);
  return client;
}

/** Servers that are not Amazon's give their tokens where they keep their buckets. */
function tokenService({ endpoint }: S3Config, requestHandler: NodeHttpHandler) {
  const amazons =
    endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
  return amazons ? {} : { endpoint, requestHandler };
}

/** Undefined: the SDK's own chain (environment, profile, container, machine). */
function credentialsOf(
  config: S3Config,
  region: string | undefined,
  requestHandler: NodeHttpHandler,
): S3ClientConfig["credentials"] | undefined {
  const { credentials, roleArn, webIdentityTokenFile } = config;
  const own = credentials && {
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    ...(credentials.sessionToken !== undefined && { sessionToken: credentials.sessionToken }),
  };
  const clientConfig = {
    ...(region !== undefined && { region }),
    ...tokenService(config, requestHandler),
    logger: SILENT,
  };
  if (webIdentityTokenFile !== undefined) {
    return fromTokenFile({
      webIdentityTokenFile,
      roleSessionName: SESSION_NAME,
      clientConfig,
      ...(roleArn !== undefined && { roleArn }),
    });
  }
  if (roleArn === undefined) return own;
  return fromTemporaryCredentials({
    params: { RoleArn: roleArn, RoleSessionName: SESSION_NAME },
    clientConfig,
    ...(own !== undefined && { masterCredentials: own }),
  });
}
