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
import { isAmazons, type S3Apart, type S3Config } from "../config.js";
import { KEPT_CONNECTIONS } from "../http/kept-connections.js";
import { ProxyAgents } from "../proxy/agents.js";
import { signWithDigests } from "./digests.js";
import { ProxiedHandler } from "./proxied-handler.js";

type AwsCredentialIdentityProvider = ReturnType<typeof fromIni>;

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
/** What servers that are not Amazon's expect where no region is given. */
const ELSEWHERE = "us-east-1";
const SOCKETS = 64;
const SILENT = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** A client of its own for one store: keys, authorities and connections are shared with nobody. */
export function s3Client(config: S3Config, deadlines: S3Deadlines): S3Client {
  const agent = { ...KEPT_CONNECTIONS, maxSockets: SOCKETS };
  const tls = {
    rejectUnauthorized: !config.insecureSkipVerify,
    ...(config.caCertificate !== undefined && {
      ca: [...rootCertificates, config.caCertificate],
    }),
  };
  // Where a bucket of Amazon is, its refusal says.
  const anywhere = config.endpoint !== undefined || config.apart !== undefined;
  const region = config.region ?? (anywhere ? ELSEWHERE : undefined);
  const handler = handlerOf(new ProxyAgents(agent, { tls, ...deadlines }), deadlines);
  const credentials = credentialsOf(config, region, handler, deadlines);
  const client = new S3Client({
    ...(config.endpoint !== undefined && { endpoint: config.endpoint }),
    ...(region !== undefined && { region: isOfProfile(config) ? ofProfile : region }),
    credentials,
    // Those of variables and of the default profile are the primary's.
    ignoreConfiguredEndpointUrls: config.apart !== undefined,
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

/** Whether the keys come from a profile of the SDK's own, which may have a region as well. */
function isOfProfile({ region, credentials, apart }: S3Config): boolean {
  return region === undefined && credentials === undefined && apart === undefined;
}

/** The region that the SDK finds by itself. */
async function ofProfile(): Promise<string> {
  const plain = new S3Client({ logger: SILENT });
  try {
    return await plain.config.region();
  } catch {
    return ELSEWHERE;
  } finally {
    plain.destroy();
  }
}

type ClientSettings = NonNullable<Parameters<typeof fromTokenFile>[0]>["clientConfig"];

/** Of a token service: tries again are ours here, too. */
function tokenClient(region: string | undefined, deadlines: S3Deadlines): ClientSettings {
  return {
    ...(region !== undefined && { region }),
    // Asked once an hour: nothing is kept open for the next time.
    requestHandler: handlerOf(new ProxyAgents({}, deadlines), deadlines),
    maxAttempts: 1,
    logger: SILENT,
  };
}

function handlerOf(agents: ProxyAgents, { connectMs, idleMs }: S3Deadlines): ProxiedHandler {
  const deadlines = { connectionTimeout: connectMs, socketTimeout: idleMs };
  return new ProxiedHandler({ ...deadlines, logger: SILENT }, agents);
}

function credentialsOf(
  config: S3Config,
  region: string | undefined,
  requestHandler: ProxiedHandler,
  deadlines: S3Deadlines,
): NonNullable<S3ClientConfig["credentials"]> {
  const { credentials, roleArn, webIdentityTokenFile, apart } = config;
  const own = credentials && {
    accessKeyId: credentials.accessKeyId,
    secretAccessKey: credentials.secretAccessKey,
    ...(credentials.sessionToken !== undefined && { sessionToken: credentials.sessionToken }),
  };
  const amazons = tokenClient(region, deadlines);
  const clientConfig: ClientSettings = {
    ...amazons,
    // Servers that are not Amazon's give their tokens where they keep their buckets.
    ...(!isAmazons(config.endpoint) && { endpoint: config.endpoint, requestHandler }),
    ...(apart !== undefined && { ignoreConfiguredEndpointUrls: true }),
  };
  if (webIdentityTokenFile !== undefined) {
    return fromTokenFile({
      webIdentityTokenFile,
      roleSessionName: SESSION_NAME,
      clientConfig,
      ...(roleArn !== undefined && { roleArn }),
    });
  }
  const others = () =>
    // The SDK's own chain: environment, profile, container, machine.
    apart === undefined
      ? fromNodeProviderChain({ clientConfig: amazons, logger: SILENT })
      : ofTheMachine(apart, clientConfig);
  const first = own ?? others();
  if (roleArn === undefined) return first;
  return fromTemporaryCredentials({
    params: { RoleArn: roleArn, RoleSessionName: SESSION_NAME },
    clientConfig,
    masterCredentials: first,
  });
}

/** The SDK's own chain without the variables, which are another store's. */
function ofTheMachine(apart: S3Apart, clientConfig: ClientSettings): AwsCredentialIdentityProvider {
  const { profile, variable } = apart;
  const fromFiles = fromIni({
    // Unless told, the SDK would take these from variables, too.
    profile: profile ?? "default",
    filepath: apart.credentialsFile ?? join(homedir(), ".aws", "credentials"),
    configFilepath: apart.configFile ?? join(homedir(), ".aws", "config"),
    clientConfig,
  });
  if (profile !== undefined) return createCredentialChain(fromFiles);
  return createCredentialChain(fromFiles, ...servicesOfTheMachine(), async () => {
    throw Object.assign(new Error(`no credentials are found, and ${variable} is not set`), {
      name: "CredentialsProviderError",
    });
  });
}

/** What stands in these variables is about the machine, whatever its stores are. */
function servicesOfTheMachine(): AwsCredentialIdentityProvider[] {
  const { env } = process;
  if (env["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] || env["AWS_CONTAINER_CREDENTIALS_FULL_URI"]) {
    return [fromHttp(), fromContainerMetadata()];
  }
  const disabled = env["AWS_EC2_METADATA_DISABLED"];
  return disabled && disabled !== "false" ? [] : [fromInstanceMetadata()];
}
