/** What the deltas of etcd do now. */
export const DELTA_STATES = [
  /** By settings. */
  "off",
  /** This server does not lead. */
  "standby",
  /** The end of the log in the stores is looked for. */
  "starting",
  /** A raw snapshot is made, since the log cannot go on without one. */
  "base",
  "following",
  /** No store takes deltas: etcd keeps what is not read. */
  "paused",
  /** The login to etcd may not read all keys, or is not root. */
  "denied",
  /** Something failed, and is tried again. */
  "failing",
] as const;
export type DeltaState = (typeof DELTA_STATES)[number];

/** How far the log of etcd is at one store. */
export interface SiteDeltas {
  /** The newest revision that can be restored from this store alone; absent without a raw snapshot. */
  readonly durableRevision?: number | undefined;
  /** Revisions of etcd after that one; absent while one of the two is not known. */
  readonly missingRevisions?: number | undefined;
  /** Age of the oldest change that is not durable in this store; 0 if there is none. */
  readonly oldestSeconds: number;
  /** Deltas that wait to be stored. */
  readonly waiting: { readonly deltas: number; readonly bytes: number };
  /** Whether it lacks older deltas, which are copied from the other store. */
  readonly isBehind: boolean;
}

/** Whether full backups prove the log: the deltas since the raw snapshot before make the same database. */
export interface DeltaProof {
  readonly outcome: "proven" | "differs" | "failed";
  /** End of the comparison, RFC 3339. */
  readonly at: string;
  /** In words. */
  readonly message: string;
}

/** Revisions of etcd that nothing holds, or the beginning of another history. */
export interface DeltaBreak {
  /** RFC 3339. */
  readonly at: string;
  readonly reason: string;
  /** Absent if none is lost. */
  readonly lost?: { readonly first: number; readonly last: number } | undefined;
}

/** The log of etcd as deltas, while this server leads. */
export interface DeltaStatus {
  readonly state: DeltaState;
  /** Name of the stream that is written. */
  readonly stream?: string | undefined;
  /** The last revision that was read. */
  readonly readRevision?: number | undefined;
  /** Of etcd, when it was asked last. */
  readonly etcdRevision?: number | undefined;
  /** Up to here a full backup has proved the log. */
  readonly provenRevision?: number | undefined;
  readonly proof?: DeltaProof | undefined;
  /** The last one of this term. */
  readonly lastBreak?: DeltaBreak | undefined;
  readonly sites: Partial<Readonly<Record<"primary" | "secondary", SiteDeltas>>>;
}
