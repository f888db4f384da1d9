import { CborError, type CborReader, type CborWriter } from "../cbor.js";
import { MAX_TEXT_BYTES } from "../format.js";
import { expectItems } from "../records.js";
import { CHANGES_DIGEST_BYTES } from "./changes-digest.js";

/** Revisions that no delta before this one holds. */
export interface LogHole {
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

/** The first item of a delta: docs/format.md, "Deltas". */
export interface DeltaHead {
  /** Name of the stream. */
  readonly stream: string;
  /** The id of the etcd cluster, hexadecimal as in METADATA.bin. */
  readonly clusterId: string;
  readonly first: number;
  readonly last: number;
  /** Digest of the changes of revision `first` - 1; null if the writer did not see them. */
  readonly before: Uint8Array | null;
  /** Digest of the changes of revision `last`. */
  readonly after: Uint8Array;
  /** Up to where etcd was compacted when the delta was written; 0: not at all. */
  readonly compactRevision: number;
  /** Only in the first delta of a stream. */
  readonly hole: LogHole | null;
}

const VERSION = 1;

export function encodeHead(out: CborWriter, head: DeltaHead): void {
  const { stream, clusterId, first, last, before, after, compactRevision, hole } = head;
  out.array(9);
  out.uint(VERSION);
  out.text(stream);
  out.text(clusterId);
  out.uint(first);
  out.uint(last);
  if (before === null) out.null();
  else out.bytes(before);
  out.bytes(after);
  out.uint(compactRevision);
  if (hole === null) {
    out.null();
    return;
  }
  out.array(3);
  out.uint(hole.from);
  out.uint(hole.to);
  out.text(hole.reason);
}

/** Throws CborError. */
export function decodeHead(from: CborReader): DeltaHead {
  expectItems(from, 9);
  const version = from.uint();
  if (version !== VERSION) throw new CborError(`a delta of version ${version}`);
  const stream = shortText(from);
  const clusterId = shortText(from);
  if (!isClusterId(clusterId)) throw new CborError("a cluster id that is not hexadecimal");
  const first = from.uint();
  const last = from.uint();
  if (first === 0 || first > last) throw new CborError(`revisions ${first} to ${last}`);
  const before = from.isNull() ? null : digest(from);
  const after = digest(from);
  const compactRevision = from.uint();
  const hole = from.isNull() ? null : decodeHole(from, first);
  return { stream, clusterId, first, last, before, after, compactRevision, hole };
}

/** Whether the text is a cluster id of 64 bits in hexadecimal, without leading zeros. */
export function isClusterId(text: string): boolean {
  return /^(0|[1-9a-f][0-9a-f]{0,15})$/.test(text);
}

function decodeHole(from: CborReader, first: number): LogHole {
  expectItems(from, 3);
  const hole = { from: from.uint(), to: from.uint(), reason: shortText(from) };
  if (!isHoleBefore(hole, first)) throw new CborError("a hole that does not end before the delta");
  return hole;
}

/** Whether a hole ends just before revision `first`. */
export function isHoleBefore({ from, to }: LogHole, first: number): boolean {
  return from > 0 && from <= to && to === first - 1;
}

function digest(from: CborReader): Uint8Array {
  const bytes = from.bytes();
  if (bytes.length !== CHANGES_DIGEST_BYTES) throw new CborError("a digest of another length");
  return bytes;
}

function shortText(from: CborReader): string {
  const text = from.text();
  if (Buffer.byteLength(text) > MAX_TEXT_BYTES) throw new CborError("a text that is too long");
  return text;
}
