/** A file of a backup. */
export interface FileFacts {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export type BackupKind = "full" | "incremental";

/** MANIFEST.json: what a copier may know of a backup. Open, and not trusted by who has the passphrase. */
export interface Manifest {
  readonly format: number;
  /** 32 hex digits. */
  readonly id: string;
  readonly kind: BackupKind;
  /** Id of the backup that an incremental stands on. */
  readonly base: string | null;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly files: readonly FileFacts[];
}
