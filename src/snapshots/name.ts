import type { BackupKind } from "../archive/manifest/manifest.js";

/**
 * The name of a snapshot, such as `Full-00000000-00009002-1565021494`, in the format of etcd-backup-restore. Both
 * revisions of etcd are 0 without etcd.
 */
export interface SnapshotName {
  /** The name itself. */
  readonly text: string;
  readonly kind: BackupKind;
  readonly firstRevision: number;
  readonly lastRevision: number;
  /** Seconds since 1970. */
  readonly time: number;
}

const WORDS = { full: "Full", incremental: "Incr" } as const;
const REVISION_DIGITS = 8;

export function snapshotName(facts: Omit<SnapshotName, "text">): SnapshotName {
  const { kind, firstRevision, lastRevision, time } = facts;
  const padded = (revision: number): string => String(revision).padStart(REVISION_DIGITS, "0");
  const text = `${WORDS[kind]}-${padded(firstRevision)}-${padded(lastRevision)}-${time}`;
  return { text, kind, firstRevision, lastRevision, time };
}

/** Undefined unless the text is exactly as {@link snapshotName} writes it: a snapshot has only one name. */
export function parseSnapshotName(text: string): SnapshotName | undefined {
  const [, word, first, last, time] =
    /^(Full|Incr)-(\d{8,16})-(\d{8,16})-(\d{1,12})$/.exec(text) ?? [];
  if (word === undefined) return undefined;
  const parsed = snapshotName({
    kind: word === WORDS.full ? "full" : "incremental",
    firstRevision: Number(first),
    lastRevision: Number(last),
    time: Number(time),
  });
  return parsed.text === text ? parsed : undefined;
}

/** By time, then by revisions; a full backup before its incrementals of the same second. */
export function compareSnapshotNames(a: SnapshotName, b: SnapshotName): number {
  return (
    a.time - b.time ||
    a.lastRevision - b.lastRevision ||
    a.firstRevision - b.firstRevision ||
    Number(a.kind === "incremental") - Number(b.kind === "incremental") ||
    (a.text < b.text ? -1 : Number(a.text > b.text))
  );
}

/** First revision of an incremental whose base ends with `baseLast`; 0 without etcd. */
export function firstRevisionOver(baseLast: number): number {
  return baseLast === 0 ? 0 : baseLast + 1;
}

/** The key of a snapshot in logs and listings: `{directory}/{name}:{start}-{end}`. */
export function snapshotKey(directory: string, name: SnapshotName): string {
  const path = directory === "" ? name.text : `${directory}/${name.text}`;
  return `${path}:${name.firstRevision}-${name.lastRevision}`;
}
