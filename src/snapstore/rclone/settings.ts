import { UsageError } from "../../errors.js";
import type { RcloneConfig } from "../config.js";
import type { StoreEnvironment } from "../settings/roles.js";
import { allowedVariables } from "./environment.js";

/** Backends whose options can be set by variables, such as `RCLONE_S3_REGION`. Names as in rclone's source. */
const BACKENDS = `
  ALIAS AZUREBLOB AZUREFILES B2 BOX CHUNKER CLOUDINARY COMBINE COMPRESS CRYPT DOI DRIVE DROPBOX
  FICHIER FILEFABRIC FILELU FILESCOM FTP GCS GOFILE GPHOTOS HASHER HDFS HIDRIVE ICLOUDDRIVE
  IMAGEKIT INTERNETARCHIVE JOTTACLOUD KOOFR LINKBOX LOCAL MAILRU MEGA MEMORY NETSTORAGE ONEDRIVE
  OOS OPENDRIVE PCLOUD PIKPAK PIXELDRAIN PREMIUMIZEME PROTONDRIVE PUTIO QINGSTOR QUATRIX S3
  SEAFILE SFTP SHAREFILE SIA SMB STORJ SUGARSYNC SWIFT TARDIGRADE ULOZTO UNION UPTOBOX WEBDAV
  YANDEX ZOHO
`
  .trim()
  .split(/\s+/);

/** Variables of a store that its rclone gets, without those that change its log or its remote control. */
const STORE_VARIABLES: readonly RegExp[] = [
  // Definitions of remotes, and the password of rclone.conf.
  /^RCLONE_(CONFIG|CONFIG_PASS|PASSWORD_COMMAND)$/,
  /^RCLONE_CONFIG_(?!BACKUPTOOLSTORE_)[^=]+_[^=]+$/,
  new RegExp(`^RCLONE_(${BACKENDS.join("|")}|HTTP_(URL|HEADERS|NO_SLASH|NO_HEAD))(_|$)`),
  // Network and bandwidth.
  /^RCLONE_(CA_CERT|CLIENT_CERT|CLIENT_KEY|NO_CHECK_CERTIFICATE|BIND|USER_AGENT)$/,
  /^RCLONE_(BWLIMIT|TPSLIMIT|TPSLIMIT_BURST)$/,
  // Credentials for backends with env_auth. AWS_CA_BUNDLE breaks rclone's S3, which has RCLONE_CA_CERT instead.
  /^AWS_(?!CA_BUNDLE$)/,
  /^(AZURE|GOOGLE|OCI|OS|ST)_/,
  // For sftp and hdfs.
  /^(SSH_AUTH_SOCK|KRB5CCNAME|KRB5_CONFIG)$/,
];

type Settings = Omit<RcloneConfig, "provider" | "container" | "prefix">;

/** A remote of rclone. Its rclone gets the variables of the store, without the prefix of its role. */
export function rcloneSettings(env: StoreEnvironment, primaryConfig: string | undefined): Settings {
  const configFile = env.get("RCLONE_CONFIG");
  // Otherwise rclone would use its default file, which no setting names.
  if (configFile === undefined && primaryConfig !== undefined && primaryConfig !== "") {
    throw new UsageError(`${env.nameOf("RCLONE_CONFIG")} is not set`, {
      hint: "RCLONE_CONFIG is for the primary; both can name the same file",
    });
  }
  return {
    configFile,
    environment: allowedVariables(env.own(), STORE_VARIABLES),
    passwordVariable: env.nameOf("RCLONE_CONFIG_PASS"),
  };
}
