import { size, text, wholeNumber } from "./kinds.js";

/** Parts of an upload: S3 allows none under 5 MiB. */
const partSize = size("5MiB", "64MiB");
const partCount = wholeNumber(1, 100);

/** The primary store. */
export const storeSettings = {
  store: {
    ...text,
    describe:
      "URL of the store: s3://BUCKET/PREFIX, azblob://, gs://, swift://, oss://, ecs://, ocs://, file:///PATH or rclone:REMOTE:PATH",
  },
  "storage-provider": {
    ...text,
    describe: "Provider, instead of --store: Local, S3, ABS, GCS, Swift, OSS, ECS, OCS or Rclone",
  },
  "store-container": { ...text, describe: "Bucket, container, folder or REMOTE:PATH" },
  "store-prefix": { ...text, describe: "Path in the container" },
  "store-endpoint-override": { ...text, describe: "URL of the provider's API" },
} as const;

export const uploadSettings = {
  "min-chunk-size": { ...partSize, default: "5MiB", describe: "Smallest part of an upload" },
  "max-parallel-chunk-uploads": {
    ...partCount,
    default: "5",
    describe: "Parts of one file to upload at the same time",
  },
} as const;

export const secondaryStoreSettings = {
  "secondary-store": { ...text, describe: "URL of the secondary store, as for --store" },
  "secondary-storage-provider": { ...text, describe: "Provider, instead of --secondary-store" },
  "secondary-store-container": { ...text, describe: "Bucket, container, folder or REMOTE:PATH" },
  "secondary-store-prefix": { ...text, describe: "Path in the container" },
  "secondary-store-endpoint-override": { ...text, describe: "URL of the provider's API" },
} as const;

export const secondaryUploadSettings = {
  "secondary-min-chunk-size": {
    ...partSize,
    default: "5MiB",
    describe: "Smallest part of an upload",
  },
  "secondary-max-parallel-chunk-uploads": {
    ...partCount,
    default: "5",
    describe: "Parts of one file to upload at the same time",
  },
} as const;

export const sourceStoreSettings = {
  "source-store": { ...text, describe: "URL of a store to copy into the primary one" },
  "source-storage-provider": { ...text, describe: "Provider, instead of --source-store" },
  "source-store-container": { ...text, describe: "Bucket, container, folder or REMOTE:PATH" },
  "source-store-prefix": { ...text, describe: "Path in the container" },
  "source-store-endpoint-override": { ...text, describe: "URL of the provider's API" },
} as const;
