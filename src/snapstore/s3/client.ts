import { homedir } from "node:os";
import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { S3Client, type S3ClientConfig } from "@aws-sdk/client-s3";
import {
  createCredentialChain,
  fromContainerMetadata,
  fromHttp,
  fromIni,
  fromInstanceMetadata,
  fromNodeProviderChain,
  fromTemporaryCredentials,
  fromTokenFile,
} from "@aws-sdk/credential-providers";
import { isAwsEndpoint, type S3IsolatedCredentials, type S3Config } from "../config.js";
import { KEPT_CONNECTIONS, ProxyAgents } from "../proxy/agents.js";
import { signWithDigests } from "./digests.js";
import { ProxiedHandler } from "./proxied-handler.js";

type AwsCredentialIdentityProvider = ReturnType<typeof fromIni>;

/** Milliseconds. */
export interface S3Deadlines {
  /** Until a connection is set up, TLS included. */
  readonly connectMs: number;
  /** Without a byte in either direction. */
  readonly idleMs: number;
}

export const DEADLINES: S3Deadlines = { connectMs: 10_000, idleMs: 60_000 };

/** Name of the role session in the audit log of the account. */
const SESSION_NAME = "backuptool";
/** Region that other servers than AWS expect when none is set. */
const DEFAULT_REGION = "us-east-1";
const SOCKETS = 64;
const SILENT_LOGGER = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** A client for one store. It shares neither credentials nor CAs nor connections with other stores. */
export function s3Client(config: S3Config, deadlines: S3Deadlines): S3Client {
  const agent = { ...KEPT_CONNECTIONS, maxSockets: SOCKETS };
  const tls = {
    rejectUnauthorized: !config.insecureSkipVerify,
    ...(config.caCertificate !== undefined && {
      ca: [...rootCertificates, config.caCertificate],
    }),
  };
  // The SDK finds the region of an AWS bucket by the error response.
  const usesDefault = config.endpoint !== undefined || config.isolated !== undefined;
  const region = config.region ?? (usesDefault ? DEFAULT_REGION : undefined);
  const handler = handlerOf(new ProxyAgents(agent, { tls, ...deadlines }), deadlines);
  const credentials = credentialsOf(config, region, handler, deadlines);
  const client = new S3Client({
    ...(config.endpoint !== undefined && { endpoint: config.endpoint }),
    ...(region !== undefined && { region: usesProfile(config) ? profileRegion : region }),
    credentials,
    // Endpoints in variables and in the default profile belong to the primary.
    ignoreConfiguredEndpointUrls: config.isolated !== undefined,
    forcePathStyle: config.pathStyle ?? config.endpoint !== undefined,
    // RetryingStore retries.
    maxAttempts: 1,
    // Some servers, such as older radosgw, lack trailing checksums. The signature covers a digest of the bytes.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    followRegionRedirects: config.endpoint === undefined,
    logger: SILENT_LOGGER,
    requestHandler: handler,
  });
  signWithDigests(client);
  return client;
}

/** Whether the SDK finds the credentials by itself, perhaps in a profile that has a region too. */
function usesProfile({ region, credentials, isolated }: S3Config): boolean {
  return region === undefined && credentials === undefined && isolated === undefined;
}

/** The region that the SDK finds in variables and profiles. */
async function profileRegion(): Promise<string> {
  const plain = new S3Client({ logger: SILENT_LOGGER });
  try {
    return await plain.config.region();
  } catch {
    return DEFAULT_REGION;
  } finally {
    plain.destroy();
  }
}

type ClientSettings = NonNullable<Parameters<typeof fromTokenFile>[0]>["clientConfig"];

/** Client settings for a token service. */
function tokenClient(region: string | undefined, deadlines: S3Deadlines): ClientSettings {
  return {
    ...(region !== undefined && { region }),
    // Called about once an hour, so connections are not kept open.
    requestHandler: handlerOf(new ProxyAgents({}, deadlines), deadlines),
    maxAttempts: 1,
    logger: SILENT_LOGGER,
  };
}

function handlerOf(agents: ProxyAgents, { connectMs, idleMs }: S3Deadlines): ProxiedHandler {
  const deadlines = { connectionTimeout: connectMs, socketTimeout: idleMs };
  return new ProxiedHandler({ ...deadlines, logger: SILENT_LOGGER }, agents);
}

function credentialsOf(
  config: S3Config,
  region: string | undefined,
  requestHandler: ProxiedHandler,
  deadlines: S3Deadlines,
): NonNullable<S3ClientConfig["credentials"]> {
  const { credentials, roleArn, webIdentityTokenFile, isolated } = config;
  const own = credentials && {
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    ...(credentials.sessionToken !== undefined && { sessionToken: credentials.sessionToken }),
  };
  const awsConfig = tokenClient(region, deadlines);
  const clientConfig: ClientSettings = {
    ...awsConfig,
    // Other servers than AWS issue tokens at the endpoint of their buckets.
    ...(!isAwsEndpoint(config.endpoint) && { endpoint: config.endpoint, requestHandler }),
    ...(isolated !== undefined && { ignoreConfiguredEndpointUrls: true }),
  };
  if (webIdentityTokenFile !== undefined) {
    return fromTokenFile({
      webIdentityTokenFile,
      roleSessionName: SESSION_NAME,
      clientConfig,
      ...(roleArn !== undefined && { roleArn }),
    });
  }
  const fromChain = () =>
    isolated === undefined
      ? fromNodeProviderChain({ clientConfig: awsConfig, logger: SILENT_LOGGER })
      : machineCredentials(isolated, clientConfig);
  const first = own ?? fromChain();
  if (roleArn === undefined) return first;
  return fromTemporaryCredentials({
    params: { RoleArn: roleArn, RoleSessionName: SESSION_NAME },
    clientConfig,
    masterCredentials: first,
  });
}

/** The SDK's chain without the variables, which belong to another store. */
function machineCredentials(
  isolated: S3IsolatedCredentials,
  clientConfig: ClientSettings,
): AwsCredentialIdentityProvider {
  const { profile, variable } = isolated;
  const fromFiles = fromIni({
    // The default of these options would be variables of the primary.
    profile: profile ?? "default",
    filepath: isolated.credentialsFile ?? join(homedir(), ".aws", "credentials"),
    configFilepath: isolated.configFile ?? join(homedir(), ".aws", "config"),
    clientConfig,
  });
  if (profile !== undefined) return createCredentialChain(fromFiles);
  return createCredentialChain(fromFiles, ...metadataServices(), async () => {
    throw Object.assign(new Error(`no credentials found, and ${variable} is not set`), {
      name: "CredentialsProviderError",
    });
  });
}

/** Credentials from the container or instance. Their variables describe the machine, not a store. */
function metadataServices(): AwsCredentialIdentityProvider[] {
  const { env } = process;
  if (env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] || env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]) {
    return [fromHttp(), fromContainerMetadata()];
  }
  const disabled = env["AWS_EC2_METADATA_DISABLED"];
  return disabled && disabled !== "false" ? [] : [fromInstanceMetadata()];
}
