import type { StoredObject } from "../store.js";

/** Metadata of an object. https://cloud.google.com/storage/docs/json_api/v1/objects */
export interface ObjectResource {
  readonly name?: string;
  readonly size?: string;
  readonly updated?: string;
  readonly generation?: string;
  readonly md5Hash?: string;
  readonly retentionExpirationTime?: string;
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The fields of {@link ObjectResource}; by default the API returns many more. */
export const FIELDS = "name,size,updated,generation,md5Hash,retentionExpirationTime,metadata";

export function storedObject(key: string, resource: ObjectResource): StoredObject {
  const { size = "0", updated, generation, retentionExpirationTime, metadata } = resource;
  return {
    key,
    size: Number(size),
    modified: new Date(updated ?? 0),
    tag: generation,
    sha256: metadata?.["sha256"],
    lockedUntil: retentionExpirationTime ? new Date(retentionExpirationTime) : undefined,
  };
}
