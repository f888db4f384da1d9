import { text } from "./flags.js";

const PROVIDERS = "Local, S3, ABS, GCS, Swift, OSS, ECS, OCS or Rclone";
const SHORT =
  "s3://bucket/prefix, azblob://, gs://, swift://, oss://, file:///path, rclone:remote:path";

/** The primary store. */
export const storeFlags = {
  store: { ...text, describe: `The store, in short: ${SHORT}` },
  "storage-provider": { ...text, describe: `Kind of the store: ${PROVIDERS}` },
  "store-container": { ...text, describe: "Its bucket, container, folder or remote:path" },
  "store-prefix": { ...text, describe: "Path below the container" },
  "store-endpoint-override": { ...text, describe: "URL of the store's service" },
} as const;

export const uploadFlags = {
  "min-chunk-size": { ...text, default: "5MiB", describe: "Smallest part of an upload" },
  "max-parallel-chunk-uploads": {
    ...text,
    default: "5",
    describe: "Parts of one file that are sent at the same time",
  },
} as const;

export const secondaryStoreFlags = {
  "secondary-store": { ...text, describe: "The secondary store, in short" },
  "secondary-storage-provider": { ...text, describe: "Kind of the secondary store" },
  "secondary-store-container": { ...text, describe: "Its bucket, container, folder or remote" },
  "secondary-store-prefix": { ...text, describe: "Path below the container" },
  "secondary-store-endpoint-override": { ...text, describe: "URL of its service" },
} as const;

export const secondaryUploadFlags = {
  "secondary-min-chunk-size": {
    ...text,
    default: "5MiB",
    describe: "Smallest part of an upload to the secondary store",
  },
  "secondary-max-parallel-chunk-uploads": {
    ...text,
    default: "5",
    describe: "Parts of one file that are sent to it at the same time",
  },
} as const;

export const sourceStoreFlags = {
  "source-store": { ...text, describe: "Copy from this store into the primary one" },
  "source-storage-provider": { ...text, describe: "Kind of the source store" },
  "source-store-container": { ...text, describe: "Its bucket, container, folder or remote" },
  "source-store-prefix": { ...text, describe: "Path below the container" },
  "source-store-endpoint-override": { ...text, describe: "URL of its service" },
} as const;
