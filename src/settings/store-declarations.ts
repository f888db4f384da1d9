import { settingOf } from "../snapstore/settings/roles.js";
import { type Declarations, size, text, wholeNumber } from "./kinds.js";

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
  // S3 allows no part under 5 MiB.
  "min-chunk-size": {
    ...size("5MiB", "64MiB"),
    default: "5MiB",
    describe: "Smallest part of an upload",
  },
  "max-parallel-chunk-uploads": {
    ...wholeNumber(1, 100),
    default: "5",
    describe: "Parts of one file to upload at the same time",
  },
} as const;

export const secondaryStoreSettings = ofRole("secondary", {
  ...storeSettings,
  store: { ...text, describe: "URL of the secondary store, as for --store" },
  "storage-provider": { ...text, describe: "Provider, instead of --secondary-store" },
});

export const secondaryUploadSettings = ofRole("secondary", uploadSettings);

export const sourceStoreSettings = ofRole("source", {
  ...storeSettings,
  store: { ...text, describe: "URL of a store to copy into the primary one" },
  "storage-provider": { ...text, describe: "Provider, instead of --source-store" },
});

type OfRole<Role extends string, D> = {
  readonly [Name in keyof D & string as `${Role}-${Name}`]: D[Name];
};

/** The settings of the primary store under the names of another role. */
function ofRole<Role extends "secondary" | "source", D extends Declarations>(
  role: Role,
  declarations: D,
): OfRole<Role, D> {
  const entries = Object.entries(declarations);
  // Each name has its own declaration, which the type of entries cannot say.
  return Object.fromEntries(
    entries.map(([name, declaration]) => [settingOf(role, name), declaration]),
  ) as OfRole<Role, D>;
}
