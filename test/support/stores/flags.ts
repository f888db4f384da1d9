import { LocalStore } from "../../../src/snapstore/local/store.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { radosgw, s3Config } from "./s3-buckets.js";

type Role = "primary" | "secondary";

/** A store for the command line, and opened by the test. */
export interface NamedStore {
  flags(role?: Role): string[];
  env(role?: Role): Record<string, string>;
  open(): SnapStore;
}

/** A bucket of radosgw. `endpoint` is only used by the program, not by the test. */
export function bucketStore(
  bucket: string,
  options: { prefix?: string; endpoint?: string; secret?: string; user?: "one" | "two" } = {},
): NamedStore {
  const { prefix = "", endpoint = radosgw().endpoint, user } = options;
  const { accessKeyId, secretAccessKey } = radosgw(user).credentials;
  return {
    flags: (role = "primary") => {
      const before = role === "primary" ? "--" : "--secondary-";
      return [
        `${before}store`,
        `s3://${bucket}/${prefix}`,
        `${before}store-endpoint-override`,
        endpoint,
      ];
    },
    env: (role = "primary") => {
      const before = role === "primary" ? "" : "SECONDARY_";
      return {
        [`${before}AWS_ACCESS_KEY_ID`]: accessKeyId,
        [`${before}AWS_SECRET_ACCESS_KEY`]: options.secret ?? secretAccessKey,
      };
    },
    open: () => new S3Store(s3Config(bucket, { prefix, ...radosgw(user) })),
  };
}

export function folderStore(folder: string): NamedStore {
  return {
    flags: (role = "primary") => [
      role === "primary" ? "--store" : "--secondary-store",
      `file://${folder}`,
    ],
    env: () => ({}),
    open: () => new LocalStore({ provider: "Local", container: folder, prefix: "" }),
  };
}

/** Flags and variables for both stores. */
export function bothStores(primary: NamedStore, secondary: NamedStore) {
  return {
    flags: [...primary.flags(), ...secondary.flags("secondary")],
    env: { ...primary.env(), ...secondary.env("secondary") },
  };
}
