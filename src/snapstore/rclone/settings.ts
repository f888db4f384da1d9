import { UsageError } from "../../errors.js";
import type { RcloneConfig } from "../config.js";
import type { StoreEnvironment } from "../settings/roles.js";
import { allowedVariables } from "./environment.js";

/** Backends whose options can come from variables, `RCLONE_S3_REGION` for example. Names as in rclone's source. */
const BACKENDS = [
  "ALIAS",
  "AZUREBLOB",
  "AZUREFILES",
  "B2",
  "BOX",
  "CHUNKER",
  "CLOUDINARY",
  "COMBINE",
  "COMPRESS",
  "CRYPT",
  "DOI",
  "DRIVE",
  "DROPBOX",
  "FICHIER",
  "FILEFABRIC",
  "FILELU",
  "FILESCOM",
  "FTP",
  "GCS",
  "GOFILE",
  "GPHOTOS",
  "HASHER",
  "HDFS",
  "HIDRIVE",
  "ICLOUDDRIVE",
  "IMAGEKIT",
  "INTERNETARCHIVE",
  "JOTTACLOUD",
  "KOOFR",
  "LINKBOX",
  "LOCAL",
  "MAILRU",
  "MEGA",
  "MEMORY",
  "NETSTORAGE",
  "ONEDRIVE",
  "OOS",
  "OPENDRIVE",
  "PCLOUD",
  "PIKPAK",
  "PIXELDRAIN",
  "PREMIUMIZEME",
  "PROTONDRIVE",
  "PUTIO",
  "QINGSTOR",
  "QUATRIX",
  "S3",
  "SEAFILE",
  "SFTP",
  "SHAREFILE",
  "SIA",
  "SMB",
  "STORJ",
  "SUGARSYNC",
  "SWIFT",
  "TARDIGRADE",
  "ULOZTO",
  "UNION",
  "UPTOBOX",
  "WEBDAV",
  "YANDEX",
  "ZOHO",
];

/** The variables of its own store that rclone gets. What changes its log or its control is left out. */
const OF_THE_STORE: readonly RegExp[] = [
  // Where remotes are defined, and their password.
  /^RCLONE_(CONFIG|CONFIG_PASS|PASSWORD_COMMAND)$/,
  /^RCLONE_CONFIG_(?!BACKUPTOOLSTORE_)[^=]+_[^=]+$/,
  new RegExp(`^RCLONE_(${BACKENDS.join("|")}|HTTP_(URL|HEADERS|NO_SLASH|NO_HEAD))(_|$)`),
  // How its network is reached, and how much of it may be used.
  /^RCLONE_(CA_CERT|CLIENT_CERT|CLIENT_KEY|NO_CHECK_CERTIFICATE|BIND|USER_AGENT)$/,
  /^RCLONE_(BWLIMIT|TPSLIMIT|TPSLIMIT_BURST)$/,
  // What backends with env_auth look for. rclone's S3 fails over AWS_CA_BUNDLE; its own is RCLONE_CA_CERT.
  /^AWS_(?!CA_BUNDLE$)/,
  /^(AZURE|GOOGLE|OCI|OS|ST)_/,
  // Of sftp and hdfs.
  /^(SSH_AUTH_SOCK|KRB5CCNAME|KRB5_CONFIG)$/,
];

type Settings = Omit<RcloneConfig, "provider" | "container" | "prefix">;

/** A remote of rclone. A store that is not the primary sees its own variables only, without their prefix. */
export function rcloneSettings(env: StoreEnvironment, primaryConfig: string | undefined): Settings {
  const configFile = env.get("RCLONE_CONFIG");
  // rclone's own default would be a third file that nobody named.
  if (configFile === undefined && primaryConfig !== undefined && primaryConfig !== "") {
    throw new UsageError(`${env.nameOf("RCLONE_CONFIG")} is not set`, {
      hint: "RCLONE_CONFIG is the primary's; both may name the same file",
    });
  }
  return {
    configFile,
    environment: allowedVariables(env.own(), OF_THE_STORE),
    passwordVariable: env.nameOf("RCLONE_CONFIG_PASS"),
  };
}
