/** A file of a backup. */
export interface FileFacts {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Hex. */
  readonly sha256: string;
}

export type BackupKind = "full" | "incremental";

/** MANIFEST.json: the facts for copying a backup. It is not encrypted, and readers with the passphrase do not trust it. */
export interface Manifest {
  readonly format: number;
  /** 32 hex digits. */
  readonly id: string;
  readonly kind: BackupKind;
  /** Id of the base of an incremental. */
  readonly base: string | null;
  /** RFC 3339, UTC. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly files: readonly FileFacts[];
}
