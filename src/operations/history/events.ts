/** What operations on etcd's history report. */
export type HistoryEvent =
  /** The moment that is restored, and what it is made of. */
  | {
      type: "etcd-history";
      revision: number;
      /** When it was seen, RFC 3339; absent where no delta was needed. */
      seenAt?: string;
      /** The backup whose raw snapshot is the base. */
      base: string;
      baseRevision: number;
      /** RFC 3339. */
      baseFinishedAt: string;
      /** Revisions that deltas added to the base. */
      revisionsOfDeltas: number;
      /** The streams of deltas that were read. */
      streams: string[];
      /** Folder or stores. */
      where: string;
      /** Whether etcd had users; they are as of the base. */
      hasUsers: boolean;
    }
  /** Records go into a live cluster, which is at this revision. */
  | { type: "etcd-goes-on"; revision: number }
  | {
      type: "etcd-snapshot-made";
      file: string;
      /** The revision that etcd is at when it starts on it. */
      revision: number;
      compactRevision: number;
      bytes: number;
      sha256: string;
      method: "patch" | "truncate" | "repack";
      unknownLeases: number;
    }
  | {
      type: "etcd-data-dir-made";
      folder: string;
      member: string;
      revision: number;
      unknownLeases: number;
      /** etcdutl or etcdctl. */
      tool: string;
    }
  /** A raw snapshot and its deltas are one raw snapshot now. */
  | { type: "history-compacted"; snapshot: string; revision: number; bytes: number }
  /** A raw snapshot was compared with the one before it and the deltas in between. */
  | {
      type: "base-compared";
      base: string;
      /** `merged`: it was made of them. `another-history`: etcd was restored to the past between them. */
      outcome: "proven" | "merged" | "differs" | "another-history";
      older: string;
      first: number;
      last: number;
      difference?: string | undefined;
    }
  | {
      type: "delta-range";
      state: "proven" | "present" | "delayed" | "lost";
      first: number;
      last: number;
      /** When the last revision had been seen, RFC 3339; absent where no delta has it. */
      seenAt?: string;
    }
  | {
      type: "deltas-verified";
      /** Names of the stores. */
      where: string[];
      /** Files that were read, at all stores together. */
      deltas: number;
      bytes: number;
      damaged: number;
      /** Revisions. */
      lost: number;
      /** Raw snapshots that differ from the one before them and the deltas in between. */
      different: number;
    };
