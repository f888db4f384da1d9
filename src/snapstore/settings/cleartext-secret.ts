import type { AbsConfig, GcsConfig, S3Config, StoreConfig, SwiftConfig } from "../config.js";

/**
 * The secret of a store that is sent without TLS, if any. Keys that only sign requests (S3, Azure's shared key) are not
 * sent.
 */
export function cleartextSecret(config: StoreConfig): string | undefined {
  switch (config.provider) {
    case "S3":
    case "ECS":
    case "OCS":
    case "OSS":
      return ofS3(config);
    case "ABS":
      return ofAzure(config);
    case "GCS":
      return ofGoogle(config);
    case "Swift":
      return ofSwift(config);
    default:
      return undefined;
  }
}

function ofS3({ endpoint, sse, webIdentityTokenFile }: S3Config): string | undefined {
  if (!isPlain(endpoint)) return undefined;
  if (sse?.kind === "customer") return "the SSE-C key";
  return webIdentityTokenFile === undefined ? undefined : "the web identity token";
}

function ofAzure({ endpoint, credentials }: AbsConfig): string | undefined {
  const token = "the SAS token";
  if (credentials?.kind === "sas") return isPlain(endpoint) ? token : undefined;
  if (credentials?.kind !== "connection-string") return undefined;
  const { text } = credentials;
  const plain = /(^|;)\s*(DefaultEndpointsProtocol=http|BlobEndpoint=http:)\s*(;|$|\/)/i.test(text);
  return plain && /(^|;)\s*SharedAccessSignature=/i.test(text) ? token : undefined;
}

function ofGoogle({ endpoint, anonymous }: GcsConfig): string | undefined {
  return isPlain(endpoint) && anonymous !== true ? "the access token" : undefined;
}

function ofSwift({ auth, endpoint }: SwiftConfig): string | undefined {
  if (isPlain(auth.url))
    return auth.kind === "v3-application-credential" ? "the secret" : "the password";
  return isPlain(endpoint) ? "the token" : undefined;
}

function isPlain(url: string | undefined): boolean {
  return url !== undefined && /^http:/i.test(url);
}
