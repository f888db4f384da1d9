import { ArchiveError } from "../archive/errors.js";
import type { Manifest } from "../archive/manifest/manifest.js";
import type { Metadata } from "../archive/metadata.js";
import { quoted } from "../quoted.js";
import type { SnapshotName } from "./name.js";

/** A backup is named before it starts: in between, stores are listed, and calls may be retried. */
const NAMED_BEFORE_START_MS = 3600_000;
/** A name may be this far ahead of the start without a warning. */
const TOLERANCE_MS = 60_000;

/** Why a manifest does not belong to the snapshot `name`. Needs no passphrase. */
export function kindMismatch(
  name: SnapshotName,
  { kind }: Pick<Manifest, "kind">,
): string | undefined {
  return kind === name.kind ? undefined : `its manifest is of a backup of kind ${kind}`;
}

/**
 * How the start of a backup contradicts the time in `name`. A name may be ahead of the clock, so only an early name is
 * a mismatch.
 */
export function timeMismatch(
  name: SnapshotName,
  { startedAt }: Pick<Manifest, "startedAt">,
): string | undefined {
  if (!(Date.parse(startedAt) > name.time * 1000 + NAMED_BEFORE_START_MS)) return undefined;
  return `it was started at ${quoted(startedAt)}, long after the time in its name`;
}

/**
 * Checks that an opened backup belongs to its name in a store. METADATA.bin has the name in `snapshot`; for older
 * backups without it, kind, revisions and times must match the name.
 *
 * @param where location of the backup, for messages
 * @returns a warning where `snapshot` would be needed to decide
 * @throws ArchiveError DOES_NOT_BELONG
 */
export function checkBackupName(
  name: SnapshotName,
  metadata: Metadata,
  where: string,
): string | undefined {
  const { snapshot, id, startedAt } = metadata;
  const what = `backup ${id}, started at ${quoted(startedAt)}`;
  const mismatch = (why: string): ArchiveError =>
    new ArchiveError(
      "DOES_NOT_BELONG",
      `the backup in ${where} does not belong to its name: ${why}`,
      {
        hint: "another snapshot was put in its place: compare with another store",
      },
    );
  if (snapshot !== undefined) {
    if (snapshot === name.text && metadata.kind === name.kind) return undefined;
    throw mismatch(`it holds ${what}, which was made as ${quoted(snapshot)}`);
  }
  const problem =
    kindMismatch(name, metadata) ??
    revisionMismatch(name, metadata) ??
    timeMismatch(name, metadata);
  if (problem !== undefined) throw mismatch(`it holds ${what}, and ${problem}`);
  const ahead = name.time * 1000 - Date.parse(startedAt);
  if (!(ahead > TOLERANCE_MS)) return undefined;
  return `${where} holds ${what}, before the time in its name: either the clock was behind, or another snapshot was put in its place`;
}

/** The name has the revision of etcd before it was read, or 0 without etcd. */
function revisionMismatch(name: SnapshotName, { etcd }: Metadata): string | undefined {
  const { kind, firstRevision: first, lastRevision: last } = name;
  const read = etcd?.revision ?? 0;
  const agrees = last === 0 ? read === 0 : last <= read;
  const range = kind === "full" ? first === 0 : first <= last;
  if (agrees && range) return undefined;
  return `its etcd revision ${read} does not match ${first}-${last} in the name`;
}
