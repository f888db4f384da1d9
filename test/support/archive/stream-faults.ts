import { encode } from "cborg";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import type { ArchiveErrorCode } from "../../../src/archive/errors.js";
import { FileType } from "../../../src/archive/format.js";
import type { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { type DeltaName, deltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { LogErrorCode } from "../../../src/snapshots/streams/log-errors.js";
import { bomb } from "./bombs.js";
import { revision } from "./deltas.js";
import type { DeltaItems } from "./forged-deltas.js";
import { FixtureStream, type LogRange } from "./stream-fixtures.js";

/** A fault of the streams in a folder, of which the revisions 5 to 12 are to be read. */
export interface StreamFault {
  readonly code: ArchiveErrorCode | LogErrorCode;
  /** The delta that the error names, by its number in the stream; null for none. */
  readonly delta: number | null;
  /** What its name says instead. */
  readonly renamed?: Partial<DeltaName>;
  spoil(stream: FixtureStream, folder: string, pool: SealPool): void | Promise<void>;
}

export const FAULT_RANGE: LogRange = { after: 4, upTo: 12 };

const other = (number: number): ArchivedRevision => revision(number, { what: "other" });
const digestOf = (number: number): Buffer => changesDigest(revision(number).changes);

/** Delta 1 has the revisions 8 and 9; its items are changed, and sealed again. */
function forged(change: (items: DeltaItems) => void, delta = 1): StreamFault {
  return { code: "DAMAGED", delta, spoil: (stream) => stream.forge(delta, change) };
}

/** A fact of the head has another value. */
function head(fact: number, value: unknown, delta = 1): StreamFault {
  return forged(({ head: facts }) => facts.splice(fact, 1, value), delta);
}

/** A part of the first revision of delta 1 has another value. */
function part(index: number, value: unknown): StreamFault {
  return forged(({ revisions }) => revisions[0]?.splice(index, 1, value));
}

/** Delta 1 has this plaintext behind a valid head. */
function behindTheHead(hex: string): StreamFault {
  return {
    code: "DAMAGED",
    delta: 1,
    spoil: async (stream) => {
      const plain = Buffer.concat([encode(stream.items(1).head), Buffer.from(hex, "hex")]);
      await stream.replace(1, stream.forger.fileOf(1, plain));
    },
  };
}

/** The bytes of delta 1 are changed. */
function bytes(change: (bytes: Buffer) => Buffer, code: ArchiveErrorCode = "DAMAGED"): StreamFault {
  const spoil = (stream: FixtureStream) => stream.replace(1, change(stream.sealed(1).bytes));
  return { code, delta: 1, spoil };
}

function flipped(content: Buffer, at: number): Buffer {
  const changed = Buffer.from(content);
  const index = at < 0 ? changed.length + at : at;
  changed[index] = (changed[index] ?? 0) ^ 1;
  return changed;
}

/** A second stream, which should go on for the first after revision 9. */
function goesOn(
  code: LogErrorCode,
  options: NonNullable<Parameters<typeof FixtureStream.write>[3]>,
): StreamFault {
  return {
    code,
    delta: null,
    spoil: async (stream, folder, pool) => {
      await stream.remove(2);
      await FixtureStream.write(folder, "goes on", pool, { time: 2000, ...options });
    },
  };
}

const KV = Buffer.from("kv");
const LEASE = [7n << 30n, 60];

/** Every fault that has a frozen log in fixtures/streams/bad, by the name of its folder. */
export const STREAM_FAULTS: Readonly<Record<string, StreamFault>> = {
  "after-of-another-revision": head(6, digestOf(8)),
  "after-short": head(6, Buffer.alloc(15)),
  "before-absent-within-a-stream": head(5, null),
  "before-long": head(5, Buffer.alloc(17)),
  "before-of-another-revision": head(5, digestOf(9)),
  "bomb-of-a-chunk": {
    code: "DAMAGED",
    delta: 1,
    spoil: (stream) => stream.replace(1, stream.forger.sealFrames(FileType.delta, 1, [bomb(400)])),
  },
  "change-of-another-kind": part(2, [[2, KV]]),
  "change-of-three-parts": part(2, [[0, KV, 1]]),
  "change-without-a-key": part(2, [[0, Buffer.alloc(0)]]),
  "changes-absent": part(2, []),
  "changes-of-absurd-number": behindTheHead("8408009affffffff"),
  "chunk-changed": bytes((content) => flipped(content, -20)),
  "cluster-changes-within-a-stream": head(2, "abc"),
  "cluster-of-upper-case": head(2, "CDF818194E3A8C32"),
  "cluster-with-a-leading-zero": head(2, "0cdf8181"),
  "compacted-negative": head(7, -1),
  "delta-extended": bytes((content) => Buffer.concat([content, Buffer.of(0)])),
  "delta-missing": { code: "LOG_HOLE", delta: null, spoil: (stream) => stream.remove(1) },
  "delta-of-another-stream": {
    code: "DOES_NOT_BELONG",
    delta: 1,
    spoil: async (stream, folder, pool) => {
      const twin = await FixtureStream.write(folder, "twin", pool);
      await stream.replace(1, twin.sealed(1).bytes);
      for (const number of [0, 1, 2]) await twin.remove(number);
    },
  },
  "delta-truncated": bytes((content) => content.subarray(0, -30)),
  "delta-under-another-number": {
    code: "DOES_NOT_BELONG",
    delta: 1,
    spoil: (stream) => stream.replace(1, stream.sealed(2).bytes),
  },
  empty: bytes(() => Buffer.alloc(0)),
  "file-of-an-archive": {
    code: "DOES_NOT_BELONG",
    delta: 1,
    spoil: (stream) => stream.replace(1, stream.forger.seal(FileType.archive, 1, Buffer.from("x"))),
  },
  "first-revision-before-the-stream": {
    code: "DAMAGED",
    delta: 0,
    renamed: { first: 4 },
    spoil: async (stream) => {
      const all = [4, 5, 6, 7].map((number) => revision(number));
      const content = stream.forger.file(0, stream.forger.items(all, null));
      await stream.replace(0, content);
      await stream.rename(0, { first: 4 });
    },
  },
  "head-absent": bytesOfNothing(),
  "head-of-eight-parts": forged(({ head: facts }) => facts.pop()),
  "head-twice": forged((items) => items.revisions.unshift(items.head)),
  "head-version-later": head(0, 2),
  "header-changed": bytes((content) => flipped(content, 34)),
  "hole-after-the-first-revision": head(8, [2, 5, "lost"], 0),
  "hole-not-before-the-first-revision": head(8, [2, 3, "lost"], 0),
  "hole-of-revision-zero": head(8, [0, 4, "lost"], 0),
  "hole-turned-round": head(8, [5, 4, "lost"], 0),
  "hole-within-a-stream": head(8, [2, 7, "lost"]),
  "item-of-five-parts": forged(({ revisions }) => revisions[0]?.push(0)),
  "last-below-the-first": head(4, 7),
  "lease-of-number-zero": part(3, [[0, 60]]),
  "leases-more-than-changes": part(3, [LEASE, [8n << 30n, 60]]),
  "length-indefinite": behindTheHead("9f080081820042000080ff"),
  "name-of-another-end": renamed(2, { last: 13 }),
  "name-of-another-time": renamed(2, { time: 999 }),
  "number-not-shortest": behindTheHead("841808008182004131" + "80"),
  "reason-of-257-bytes": head(8, [2, 4, "x".repeat(257)], 0),
  "revision-left-out": forged(({ revisions }) => revisions.shift()),
  "revision-more-than-the-head-says": forged(({ revisions }) =>
    revisions.push([10, 10_000_000, [[0, KV]], []]),
  ),
  "revision-twice": forged(({ revisions }) => revisions.splice(0, 0, revisions[0] ?? [])),
  "revisions-fewer-than-the-head-says": forged(({ revisions }) => revisions.pop()),
  "seen-goes-back": part(1, 9_000_000),
  "seen-goes-back-between-deltas": forged(({ revisions }) => {
    // Delta 1 keeps the second of its name by its last revision.
    revisions[0]?.splice(1, 1, 1000);
  }),
  "stream-in-the-head-of-another-one": {
    ...head(1, "Etcd-00000005-1000-00000000"),
    code: "DOES_NOT_BELONG",
  },
  "stream-of-another-cluster": goesOn("LOG_FORK", {
    first: 10,
    before: digestOf(9),
    cluster: "abc",
  }),
  "stream-of-another-history-by-digest": goesOn("LOG_FORK", {
    first: 10,
    before: changesDigest(other(9).changes),
  }),
  "stream-of-another-history-by-overlap": goesOn("LOG_FORK", {
    first: 7,
    lengths: [1, 5],
    history: other,
  }),
  "stream-of-another-id": {
    code: "DOES_NOT_BELONG",
    delta: 0,
    spoil: (stream) => stream.renameFolder(stream.name.replace(/.{8}$/, "01234567")),
  },
  "stream-of-another-start": {
    code: "DOES_NOT_BELONG",
    delta: 0,
    spoil: (stream) => stream.renameFolder(stream.name.replace("-1000-", "-1001-")),
  },
  "stream-that-did-not-see-the-one-before": goesOn("LOG_UNPROVEN", { first: 10 }),
  "wrong-passphrase": { code: "WRONG_PASSPHRASE", delta: 0, spoil: () => {} },
};

/** A delta under another name. */
function renamed(delta: number, name: Partial<DeltaName>): StreamFault {
  const spoil = (stream: FixtureStream) => stream.rename(delta, name);
  return { code: "DOES_NOT_BELONG", delta, renamed: name, spoil };
}

/** A sealed delta of no content. */
function bytesOfNothing(): StreamFault {
  return {
    code: "DAMAGED",
    delta: 1,
    spoil: (stream) => stream.replace(1, stream.forger.fileOf(1, Buffer.alloc(0))),
  };
}

/** The file that the error of a fault names. */
export function faultFile(
  { delta, renamed: name }: StreamFault,
  stream: FixtureStream,
): string | null {
  return delta === null ? null : deltaName({ ...stream.sealed(delta), ...name });
}
