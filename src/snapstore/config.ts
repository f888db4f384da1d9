/** Location and credentials of a store, from settings, variables and credential files. */

interface CommonConfig {
  /** Path below the container or folder; empty, or segments without `/` at either end. */
  readonly prefix: string;
}

/**
 * Set for every store but the primary: the variables that SDKs read by themselves belong to the primary. Such a store
 * gets its own variables, or the credentials of the machine and its files.
 */
export interface IsolatedCredentials {
  /** Full name of the variable to set when no credentials are found. */
  readonly variable: string;
}

export interface S3IsolatedCredentials extends IsolatedCredentials {
  /** Of the shared files. When set, it is the only source of credentials. */
  readonly profile?: string | undefined;
  /** Default: ~/.aws/credentials. */
  readonly credentialsFile?: string | undefined;
  /** Default: ~/.aws/config. */
  readonly configFile?: string | undefined;
}

export interface LocalConfig extends CommonConfig {
  readonly provider: "Local";
  readonly container: string;
}

export interface S3Config extends CommonConfig {
  /** ECS, OCS and OSS have S3 endpoints. */
  readonly provider: "S3" | "ECS" | "OCS" | "OSS";
  readonly container: string;
  readonly endpoint?: string | undefined;
  readonly region?: string | undefined;
  /** Default: the SDK's own chain. */
  readonly credentials?: S3Credentials | undefined;
  readonly pathStyle?: boolean | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
  /** PEM. */
  readonly caCertificate?: string | undefined;
  readonly sse?: S3Encryption | undefined;
  readonly storageClass?: string | undefined;
  /** Role to assume: by web identity with a token file, otherwise with the credentials. */
  readonly roleArn?: string | undefined;
  readonly webIdentityTokenFile?: string | undefined;
  readonly isolated?: S3IsolatedCredentials | undefined;
}

export function isAwsEndpoint(endpoint: string | undefined): boolean {
  return endpoint === undefined || /\.amazonaws\.com(\.cn)?$/.test(new URL(endpoint).hostname);
}

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

export type S3Encryption =
  /** 32 bytes. */
  | { readonly kind: "customer"; readonly key: Uint8Array }
  | { readonly kind: "kms"; readonly keyId?: string | undefined };

export interface AbsConfig extends CommonConfig {
  readonly provider: "ABS";
  readonly container: string;
  /** Endpoint of the account, or of an emulator with the account in the path. */
  readonly endpoint?: string | undefined;
  readonly credentials?: AbsCredentials | undefined;
  readonly account?: string | undefined;
  /** Default: `blob.core.windows.net`. */
  readonly domain?: string | undefined;
}

export type AbsCredentials =
  | { readonly kind: "shared-key"; readonly account: string; readonly key: string }
  | { readonly kind: "sas"; readonly token: string }
  | { readonly kind: "connection-string"; readonly text: string };

export interface GcsConfig extends CommonConfig {
  readonly provider: "GCS";
  readonly container: string;
  readonly endpoint?: string | undefined;
  /** Parsed key file of a service account or an external account. Default: the SDK's own chain. */
  readonly credentials?: Readonly<Record<string, unknown>> | undefined;
  /** Send no credentials, for an emulator. */
  readonly anonymous?: boolean | undefined;
  readonly isolated?: IsolatedCredentials | undefined;
}

export interface SwiftConfig extends CommonConfig {
  readonly provider: "Swift";
  readonly container: string;
  readonly auth: SwiftAuth;
  readonly region?: string | undefined;
  /** Default: from the service catalog. */
  readonly endpoint?: string | undefined;
  /** PEM. */
  readonly caCertificate?: string | undefined;
  readonly insecureSkipVerify?: boolean | undefined;
}

export type SwiftAuth =
  | { readonly kind: "v1"; readonly url: string; readonly user: string; readonly key: string }
  | {
      readonly kind: "v3-password";
      readonly url: string;
      readonly user: string;
      readonly password: string;
      readonly userDomain: string;
      readonly project: string;
      readonly projectDomain: string;
    }
  | {
      readonly kind: "v3-application-credential";
      readonly url: string;
      /** Either the id, or the name and its user. */
      readonly id?: string | undefined;
      readonly name?: string | undefined;
      readonly user?: string | undefined;
      readonly userDomain?: string | undefined;
      readonly secret: string;
    };

export interface RcloneConfig extends CommonConfig {
  readonly provider: "Rclone";
  /** `remote:path`. */
  readonly container: string;
  /** Path of rclone.conf. Default: rclone's own. */
  readonly configFile?: string | undefined;
  /** Variables of this store, added to those of the machine. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Full name of the variable with the password of rclone.conf, for hints. */
  readonly passwordVariable?: string | undefined;
  /** Path of the program. Default: `rclone` in PATH. */
  readonly program?: string | undefined;
}

export type StoreConfig =
  | LocalConfig
  | S3Config
  | AbsConfig
  | GcsConfig
  | SwiftConfig
  | RcloneConfig;

export type StoreProvider = StoreConfig["provider"];
