import { text } from "./flags.js";

/** The primary store. */
export const storeFlags = {
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

export const uploadFlags = {
  "min-chunk-size": { ...text, default: "5MiB", describe: "Smallest part of an upload" },
  "max-parallel-chunk-uploads": {
    ...text,
    default: "5",
    describe: "Parts of one file to upload at the same time",
  },
} as const;

export const secondaryStoreFlags = {
  "secondary-store": { ...text, describe: "URL of the secondary store, as for --store" },
  "secondary-storage-provider": { ...text, describe: "Provider, instead of --secondary-store" },
  "secondary-store-container": { ...text, describe: "Bucket, container, folder or REMOTE:PATH" },
  "secondary-store-prefix": { ...text, describe: "Path in the container" },
  "secondary-store-endpoint-override": { ...text, describe: "URL of the provider's API" },
} as const;

export const secondaryUploadFlags = {
  "secondary-min-chunk-size": { ...text, default: "5MiB", describe: "Smallest part of an upload" },
  "secondary-max-parallel-chunk-uploads": {
    ...text,
    default: "5",
    describe: "Parts of one file to upload at the same time",
  },
} as const;

export const sourceStoreFlags = {
  "source-store": { ...text, describe: "URL of a store to copy into the primary one" },
  "source-storage-provider": { ...text, describe: "Provider, instead of --source-store" },
  "source-store-container": { ...text, describe: "Bucket, container, folder or REMOTE:PATH" },
  "source-store-prefix": { ...text, describe: "Path in the container" },
  "source-store-endpoint-override": { ...text, describe: "URL of the provider's API" },
} as const;
