import { ArchiveError } from "../archive/errors.js";
import type { Manifest } from "../archive/manifest/manifest.js";
import type { Metadata } from "../archive/metadata.js";
import { quoted } from "../quoted.js";
import type { SnapshotName } from "./name.js";

/** A backup is named before it is started: in between, stores are listed, and calls may be tried again. */
const NAMED_BEFORE_START_MS = 3600_000;
/** A name ahead of the backup's start by no more needs no warning. */
const NOTICED_MS = 60_000;

/** Why a manifest cannot be that of the backup that `name` names. Needs no passphrase. */
export function kindMismatch(
  name: SnapshotName,
  { kind }: Pick<Manifest, "kind">,
): string | undefined {
  return kind === name.kind ? undefined : `its manifest is of a backup of kind ${kind}`;
}

/**
 * How the start of a backup contradicts the time in `name`. A name may be later than the clock, so a late name tells
 * nothing.
 */
export function timeMismatch(
  name: SnapshotName,
  { startedAt }: Pick<Manifest, "startedAt">,
): string | undefined {
  if (!(Date.parse(startedAt) > name.time * 1000 + NAMED_BEFORE_START_MS)) return undefined;
  return `it was started at ${quoted(startedAt)}, long after the time in its name`;
}

/**
 * Checks that an opened backup is the one that its name in a store names. METADATA.bin says
 * the name in `snapshot`; older ones do not, and their kind, revisions and times must agree with it.
 *
 * @param where place of the backup, for messages
 * @returns what cannot be decided without `snapshot`, for a warning
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
    new ArchiveError("DOES_NOT_BELONG", `${where} is another backup than its name says: ${why}`, {
      hint: "another snapshot was put in its place: list the snapshots, and compare with another store",
    });
  if (snapshot !== undefined) {
    if (snapshot === name.text && metadata.kind === name.kind) return undefined;
    throw mismatch(`it holds ${what}, which was made as ${quoted(snapshot)}`);
  }
  const differing =
    kindMismatch(name, metadata) ??
    revisionMismatch(name, metadata) ??
    timeMismatch(name, metadata);
  if (differing !== undefined) throw mismatch(`it holds ${what}, and ${differing}`);
  const ahead = name.time * 1000 - Date.parse(startedAt);
  if (!(ahead > NOTICED_MS)) return undefined;
  return `${where} holds ${what}, before the time in its name: either the clock was behind, or another snapshot was put in its place`;
}

/** The name has etcd's revision from before it was read, or 0 without etcd. */
function revisionMismatch(name: SnapshotName, { etcd }: Metadata): string | undefined {
  const { kind, firstRevision: first, lastRevision: last } = name;
  const read = etcd?.revision ?? 0;
  const agrees = last === 0 ? read === 0 : last <= read;
  const range = kind === "full" ? first === 0 : first <= last;
  if (agrees && range) return undefined;
  return `its etcd revision ${read} does not fit ${first}-${last} in the name`;
}
