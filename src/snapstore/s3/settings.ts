import {
  isAwsEndpoint,
  type S3IsolatedCredentials,
  type S3Config,
  type S3Encryption,
} from "../config.js";
import {
  type CredentialFields,
  certificate,
  credentialFields,
  variableFields,
} from "../settings/credential-fields.js";
import type { StoreEnvironment } from "../settings/roles.js";

/** Fields of a file with S3 credentials: those of etcd-backup-restore, then those of this program. */
const FIELDS = [
  "accessKeyID",
  "secretAccessKey",
  "sessionToken",
  "region",
  "bucketName",
  "endpoint",
  "s3ForcePathStyle",
  "insecureSkipVerify",
  "trustedCaCert",
  "disableSSL",
  "sseCustomerKey",
  "sseCustomerAlgorithm",
  "roleARN",
  "tokenPath",
  "requestChecksumCalculation",
  "responseChecksumValidation",
  "sseKmsKeyId",
  "storageClass",
  "serverSideEncryption",
];

type Settings = Omit<S3Config, "provider" | "container" | "prefix">;

/** Amazon S3 or a compatible server. Without credentials the SDK uses its own chain. */
export function s3Settings(env: StoreEnvironment, endpoint: string | undefined): Settings {
  const fields =
    credentialFields(env, "AWS_APPLICATION_CREDENTIALS", FIELDS) ??
    variableFields(env, {
      accessKeyID: "AWS_ACCESS_KEY_ID",
      secretAccessKey: "AWS_SECRET_ACCESS_KEY",
      sessionToken: "AWS_SESSION_TOKEN",
      region: "AWS_REGION",
    });
  const settings = fromFields(fields, endpoint ?? fields.text("endpoint") ?? sdkEndpoint(env));
  const region = settings.region ?? regionOf(env, fields, settings.endpoint);
  return { ...settings, region, ...ownAccess(env, settings, fields), sse: encryption(fields) };
}

/** The SDK reads only the first variable; aws-cli and boto also read the second. */
function regionOf(
  env: StoreEnvironment,
  fields: CredentialFields,
  endpoint: string | undefined,
): string | undefined {
  // The region of a credential file for another server than AWS is not taken from variables.
  if (fields.isFile && !isAwsEndpoint(endpoint)) return undefined;
  return env.get("AWS_REGION") ?? env.get("AWS_DEFAULT_REGION");
}

/** The SDK reads these too, but the place and the region of the store depend on the endpoint. */
function sdkEndpoint(env: StoreEnvironment): string | undefined {
  const fields = variableFields(env, {
    endpoint: "AWS_ENDPOINT_URL_S3",
    ofAll: "AWS_ENDPOINT_URL",
    ignored: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
  });
  if (fields.toggle("ignored") === true) return undefined;
  return fields.text("endpoint") ?? fields.text("ofAll");
}

/** Credentials of a store that is not the primary, without the primary's variables. */
function ownAccess(
  env: StoreEnvironment,
  settings: Settings,
  fields: CredentialFields,
): Pick<Settings, "isolated" | "roleArn" | "webIdentityTokenFile"> {
  if (env.role === "primary") return {};
  const variables = variableFields(env, {
    profile: "AWS_PROFILE",
    credentialsFile: "AWS_SHARED_CREDENTIALS_FILE",
    configFile: "AWS_CONFIG_FILE",
    roleArn: "AWS_ROLE_ARN",
    tokenFile: "AWS_WEB_IDENTITY_TOKEN_FILE",
  });
  const isolated: S3IsolatedCredentials = {
    variable: env.nameOf("AWS_ACCESS_KEY_ID"),
    profile: variables.text("profile"),
    credentialsFile: variables.text("credentialsFile"),
    configFile: variables.text("configFile"),
  };
  if (settings.credentials !== undefined || settings.webIdentityTokenFile !== undefined) {
    return { isolated };
  }
  const identity = variables.text("tokenFile");
  if (identity !== undefined && settings.roleArn === undefined && isolated.profile === undefined) {
    return { isolated, roleArn: variables.required("roleArn"), webIdentityTokenFile: identity };
  }
  const hint = `or ${env.nameOf("AWS_PROFILE")}: credentials of the machine are only used with AWS, and keys of the primary only with the primary`;
  if (isolated.profile === undefined && !isAwsEndpoint(settings.endpoint)) {
    throw fields.lacking("accessKeyID", hint);
  }
  return { isolated };
}

/** ECS, OCS and OSS stores that are not the primary need their own keys. */
function ownKeys(
  env: StoreEnvironment,
  settings: Settings,
  fields: CredentialFields,
): Pick<Settings, "isolated"> {
  if (env.role === "primary") return {};
  if (settings.credentials === undefined && settings.webIdentityTokenFile === undefined) {
    throw fields.lacking("accessKeyID", "keys of the primary are only used with the primary");
  }
  return { isolated: { variable: fields.nameOf("accessKeyID") } };
}

/** Dell EMC ECS: it has no regions, and variables only. */
export function ecsSettings(env: StoreEnvironment, endpoint: string | undefined): Settings {
  const fields = variableFields(env, {
    endpoint: "ECS_ENDPOINT",
    accessKeyID: "ECS_ACCESS_KEY_ID",
    secretAccessKey: "ECS_SECRET_ACCESS_KEY",
    disableSSL: "ECS_DISABLE_SSL",
    insecureSkipVerify: "ECS_INSECURE_SKIP_VERIFY",
  });
  const settings = withEndpoint(fromFields(fields, endpoint), fields);
  const access = ownKeys(env, settings, fields);
  return { ...settings, ...access, region: "US-Standard", pathStyle: true };
}

/** OpenShift Container Storage. */
export function ocsSettings(env: StoreEnvironment, endpoint: string | undefined): Settings {
  const fields =
    credentialFields(env, "OPENSHIFT_APPLICATION_CREDENTIALS", FIELDS) ??
    variableFields(env, {
      endpoint: "OCS_ENDPOINT",
      region: "OCS_REGION",
      accessKeyID: "OCS_ACCESS_KEY_ID",
      secretAccessKey: "OCS_SECRET_ACCESS_KEY",
      disableSSL: "OCS_DISABLE_SSL",
      insecureSkipVerify: "OCS_INSECURE_SKIP_VERIFY",
    });
  const settings = withEndpoint(fromFields(fields, endpoint), fields);
  return { ...settings, ...ownKeys(env, settings, fields), pathStyle: true };
}

/** Alibaba Cloud's OSS, which rejects path-style addresses. */
export function ossSettings(env: StoreEnvironment, endpoint: string | undefined): Settings {
  const known = ["storageEndpoint", "accessKeyID", "accessKeySecret", "bucketName", "region"];
  const fields =
    credentialFields(env, "ALICLOUD_APPLICATION_CREDENTIALS", known) ??
    variableFields(env, {
      storageEndpoint: "ALICLOUD_ENDPOINT",
      accessKeyID: "ALICLOUD_ACCESS_KEY_ID",
      accessKeySecret: "ALICLOUD_ACCESS_KEY_SECRET",
    });
  const keys = fields.together("accessKeyID", "accessKeySecret");
  const url = fields.endpointUrl(endpoint ?? fields.required("storageEndpoint"));
  const settings = {
    endpoint: url,
    region: fields.text("region") ?? /^https?:\/\/(oss-[a-z0-9-]+?)(?:-internal)?\./.exec(url)?.[1],
    pathStyle: false,
    credentials: keys && {
      accessKeyId: keys.accessKeyID,
      secretAccessKey: keys.accessKeySecret,
    },
  };
  return { ...settings, ...ownKeys(env, settings, fields) };
}

function fromFields(fields: CredentialFields, override: string | undefined): Settings {
  const keys = fields.together("accessKeyID", "secretAccessKey");
  const sessionToken = fields.text("sessionToken");
  if (sessionToken !== undefined && keys === undefined) {
    throw fields.lacking("accessKeyID", "sessionToken is set");
  }
  const endpoint = override ?? fields.text("endpoint");
  const scheme = fields.toggle("disableSSL") === true ? "http" : "https";
  return {
    endpoint: fields.endpointUrl(endpoint, scheme),
    region: fields.text("region"),
    credentials: keys && {
      accessKeyId: keys.accessKeyID,
      secretAccessKey: keys.secretAccessKey,
      sessionToken,
    },
    pathStyle: fields.toggle("s3ForcePathStyle"),
    insecureSkipVerify: fields.toggle("insecureSkipVerify"),
    caCertificate: certificate(fields),
    storageClass: fields.text("storageClass"),
    roleArn: fields.text("roleARN"),
    webIdentityTokenFile: tokenFile(fields),
  };
}

function withEndpoint(settings: Settings, fields: CredentialFields): Settings {
  if (settings.endpoint === undefined) throw fields.lacking("endpoint");
  return settings;
}

function tokenFile(fields: CredentialFields): string | undefined {
  const path = fields.text("tokenPath");
  if (path !== undefined && fields.text("roleARN") === undefined) {
    throw fields.lacking("roleARN", "tokenPath is set");
  }
  return path;
}

function encryption(fields: CredentialFields): S3Encryption | undefined {
  const customer = fields.text("sseCustomerKey");
  const algorithm = fields.text("sseCustomerAlgorithm");
  const kms = fields.text("sseKmsKeyId");
  const kind = fields.text("serverSideEncryption");
  if (customer === undefined && algorithm !== undefined) {
    throw fields.lacking("sseCustomerKey", "sseCustomerAlgorithm is set");
  }
  if (kind !== undefined && kind !== "aws:kms") {
    throw fields.wrong("serverSideEncryption", "is not aws:kms");
  }
  if (customer !== undefined) {
    if (kms !== undefined || kind !== undefined) {
      throw fields.wrong("sseCustomerKey", "excludes sseKmsKeyId and serverSideEncryption");
    }
    if (algorithm !== undefined && algorithm !== "AES256") {
      throw fields.wrong("sseCustomerAlgorithm", "is not AES256");
    }
    return { kind: "customer", key: customerKey(fields, customer) };
  }
  return kms === undefined && kind === undefined ? undefined : { kind: "kms", keyId: kms };
}

/** 32 bytes: as text, as in etcd-backup-restore, or in base64 or hex. */
function customerKey(fields: CredentialFields, given: string): Uint8Array {
  const asIs = Buffer.from(given, "utf8");
  if (asIs.length === 32) return asIs;
  if (/^[0-9a-f]{64}$/i.test(given)) return Buffer.from(given, "hex");
  if (/^[A-Za-z0-9+/]{43}=$/.test(given)) return Buffer.from(given, "base64");
  throw fields.wrong("sseCustomerKey", "is not a key of 32 bytes, as text, base64 or hex");
}
