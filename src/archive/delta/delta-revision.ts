import { CborError, type CborReader, type CborWriter } from "../cbor.js";
import { MAX_DELTA_BYTES, MAX_REVISION_CHANGES } from "../format.js";
import { type ArchivedLease, decodeLease, encodeLease, expectItems } from "../records.js";
import { encodeChange } from "./changes-digest.js";
import type { ArchivedChange, ArchivedRevision } from "./revision.js";

/** An item of a delta after its head: docs/format.md, "Deltas". */
export function encodeRevision(out: CborWriter, revision: ArchivedRevision): void {
  const { revision: number, seenMs, changes, leases } = revision;
  out.array(4);
  out.uint(number);
  out.uint(seenMs);
  out.array(changes.length);
  for (const change of changes) encodeChange(out, change);
  out.array(leases.length);
  for (const lease of leases) encodeLease(out, lease);
}

/** Throws CborError. Its bytes are views. */
export function decodeRevision(from: CborReader): ArchivedRevision {
  expectItems(from, 4);
  const revision = from.uint();
  const seenMs = from.uint();
  const count = from.array();
  if (count === 0) throw new CborError("a revision without changes");
  if (count > MAX_REVISION_CHANGES) throw new CborError("more changes than a revision may have");
  const changes: ArchivedChange[] = [];
  while (changes.length < count) changes.push(decodeChange(from));
  const leases: ArchivedLease[] = [];
  const leaseCount = from.array();
  if (leaseCount > count) throw new CborError("more leases than changes");
  while (leases.length < leaseCount) {
    const lease = decodeLease(from);
    if (lease.id === 0n) throw new CborError("a lease of number 0");
    leases.push(lease);
  }
  return { revision, seenMs, changes, leases };
}

function decodeChange(from: CborReader): ArchivedChange {
  expectItems(from, 2);
  const deleted = from.uint();
  if (deleted > 1) throw new CborError("a change that is neither a put nor a deletion");
  const kv = from.bytes();
  if (kv.length === 0) throw new CborError("a change without a key");
  return { deleted: deleted === 1, kv };
}

/** Bytes that a number or the head of an item takes at most. */
const HEAD_BYTES = 9;
/** Bytes that the head of a delta takes at most. */
const DELTA_HEAD_BYTES = 2048;

/** Bytes that a revision takes in a delta, at most. */
export function revisionBytes({
  changes,
  leases,
}: Pick<ArchivedRevision, "changes" | "leases">): number {
  let bytes = 5 * HEAD_BYTES + leases.length * 3 * HEAD_BYTES;
  for (const { kv } of changes) bytes += kv.length + 2 + HEAD_BYTES;
  return bytes;
}

/** Whether revisions of so many bytes fit into one delta. */
export function fitDelta(bytes: number): boolean {
  return bytes + DELTA_HEAD_BYTES <= MAX_DELTA_BYTES;
}

/** Whether a revision can be in a delta. One that deletes millions of keys at once cannot. */
export function fitsDelta(revision: Pick<ArchivedRevision, "changes" | "leases">): boolean {
  return (
    revision.changes.length <= MAX_REVISION_CHANGES &&
    revision.leases.length <= revision.changes.length &&
    fitDelta(revisionBytes(revision))
  );
}
