/** Place and credentials of a store, made of settings, variables and credential files. */

interface CommonConfig {
  /** Path below the container or folder; empty, or segments without `/` at either end. */
  readonly prefix: string;
}

/**
 * For a store that is not the primary: variables of the process that the SDKs read are the primary's. Such a store gets
 * its own variables and the credentials of the machine and its files.
 */
export interface ApartFromVariables {
  /** Whole name of the variable to set when no credentials are found. */
  readonly variable: string;
}

export interface S3Apart extends ApartFromVariables {
  /** Of the shared files; the only source of credentials then. */
  readonly profile?: string | undefined;
  /** Instead of ~/.aws/credentials and ~/.aws/config. */
  readonly credentialsFile?: string | undefined;
  readonly configFile?: string | undefined;
}

export interface LocalConfig extends CommonConfig {
  readonly provider: "Local";
  /** The folder. */
  readonly container: string;
}

export interface S3Config extends CommonConfig {
  /** ECS, OCS and OSS through their S3 endpoints. */
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
  /** Role to assume first: with a token file by web identity, else with the credentials. */
  readonly roleArn?: string | undefined;
  readonly webIdentityTokenFile?: string | undefined;
  readonly apart?: S3Apart | undefined;
}

export function isAmazons(endpoint: string | undefined): boolean {
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
  /** Of the account, or of an emulator with the account in its path. */
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
  /** The parsed key file of a service account or an external account. Absent: the SDK's own chain. */
  readonly credentials?: Readonly<Record<string, unknown>> | undefined;
  /** No credentials at all: for an emulator. */
  readonly anonymous?: boolean | undefined;
  readonly apart?: ApartFromVariables | undefined;
}

export interface SwiftConfig extends CommonConfig {
  readonly provider: "Swift";
  readonly container: string;
  readonly auth: SwiftAuth;
  readonly region?: string | undefined;
  /** Instead of the one in the catalog. */
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
      /** An id, or the name of a user's credential. */
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
  /** The rclone.conf. Default: that of rclone. */
  readonly configFile?: string | undefined;
  /** The store's own variables, added to those of the machine. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** Whole name of the variable that holds the password of the rclone.conf, for hints. */
  readonly passwordVariable?: string | undefined;
  /** The program. Default: `rclone` in PATH. */
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
