import { type ArchivePlace, damaged } from "../errors.js";
import type { ArchivedPair } from "../records.js";
import { MsgpackError, MsgpackReader } from "./msgpack-reader.js";

/** The object in a frame of type 20. Its bytes are views on the frame. */
export interface OriginalObject {
  readonly pool: string;
  readonly namespace: Buffer;
  readonly name: Buffer;
  readonly content: Buffer;
  readonly xattrs: readonly ArchivedPair[];
  /** The omap, in pages that fit in an entry of this format; read on demand. */
  omap(): Generator<ArchivedPair[]>;
}

/** The mtime of an object, from METADATA.bin. */
export interface OriginalTime {
  readonly pool: string;
  readonly namespace: Buffer;
  readonly name: Buffer;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
}

/** Far more than RADOS holds on one object. */
const MAX_XATTRS = 1 << 16;

/** The largest page of pairs; a larger pair is a page of its own. */
interface PageLimits {
  readonly pairs: number;
  /** Of keys and values. */
  readonly bytes: number;
}

const PAGE: PageLimits = { pairs: 1024, bytes: 4 << 20 };
const ONE_PAGE: PageLimits = { pairs: MAX_XATTRS, bytes: Number.POSITIVE_INFINITY };

/** The records in a frame of type 10, in pages that fit in an entry of this format. Throws MsgpackError. */
export function* readRecords(plain: Uint8Array): Generator<ArchivedPair[]> {
  yield* readPairs(plain, field(readFields(plain), "KVz"), PAGE);
}

/** The object in a frame of type 20. Throws MsgpackError. */
export function readObject(plain: Uint8Array): OriginalObject {
  const fields = readFields(plain);
  const bytes = (name: string) => new MsgpackReader(plain, field(fields, name)).bytes();
  const omapAt = field(fields, "OMAPData");
  checkPairs(plain, omapAt);
  const xattrs: ArchivedPair[] = [];
  const xattrsAt = field(fields, "XATTRData");
  if (new MsgpackReader(plain, xattrsAt).array() > MAX_XATTRS) {
    throw new MsgpackError(`more than ${MAX_XATTRS} xattrs`);
  }
  for (const page of readPairs(plain, xattrsAt, ONE_PAGE)) xattrs.push(...page);
  return {
    pool: bytes("Pool").toString("utf8"),
    namespace: bytes("Namespace"),
    name: bytes("Name"),
    content: bytes("Content"),
    xattrs,
    omap: () => readPairs(plain, omapAt, PAGE),
  };
}

/** The frame of type 30: the number of ARCHIVE files, and the mtimes of their objects. Throws MsgpackError. */
export function readMetadata(plain: Uint8Array): {
  files: number;
  /** The number of times. */
  objects: number;
  times(): Generator<OriginalTime>;
} {
  const fields = readFields(plain);
  const files = Number(new MsgpackReader(plain, field(fields, "NumberOfFiles")).integer());
  const at = field(fields, "Timestamps");
  return {
    files,
    objects: new MsgpackReader(plain, at).array(),
    *times() {
      const reader = new MsgpackReader(plain, at);
      for (let left = reader.array(); left > 0; left--) yield readTime(reader);
    },
  };
}

function readTime(reader: MsgpackReader): OriginalTime {
  const time: { -readonly [K in keyof OriginalTime]: OriginalTime[K] } = {
    pool: "",
    namespace: NONE,
    name: NONE,
    mtime: 0n,
  };
  eachField(reader, (key) => {
    if (key === "Val") time.mtime = reader.integer();
    else if (key === "Key") {
      eachField(reader, (inner) => {
        if (inner === "Pool") time.pool = reader.text();
        else if (inner === "Namespace") time.namespace = reader.bytes();
        else if (inner === "OID") time.name = reader.bytes();
        else reader.skip();
      });
    } else reader.skip();
  });
  return time;
}

const NONE: Buffer = Buffer.alloc(0);

/** The offsets of the values in a frame's map, by their names. */
function readFields(plain: Uint8Array): Map<string, number> {
  const reader = new MsgpackReader(plain);
  const fields = new Map<string, number>();
  eachField(reader, (key) => {
    fields.set(key, reader.position);
    reader.skip();
  });
  if (!reader.atEnd) throw new MsgpackError("bytes after its map");
  return fields;
}

function field(fields: ReadonlyMap<string, number>, name: string): number {
  const at = fields.get(name);
  if (at === undefined) throw new MsgpackError(`no ${name} in it`);
  return at;
}

function eachField(reader: MsgpackReader, read: (key: string) => void): void {
  for (let left = reader.map(); left > 0; left--) read(reader.text());
}

function* readPairs(plain: Uint8Array, at: number, limits: PageLimits): Generator<ArchivedPair[]> {
  const reader = new MsgpackReader(plain, at);
  let page: ArchivedPair[] = [];
  let bytes = 0;
  for (let left = reader.array(); left > 0; left--) {
    const pair = readPair(reader);
    const size = pair[0].length + pair[1].length;
    if (page.length >= limits.pairs || (page.length > 0 && bytes + size > limits.bytes)) {
      yield page;
      page = [];
      bytes = 0;
    }
    page.push(pair);
    bytes += size;
  }
  if (page.length > 0) yield page;
}

/** Checks all pairs at once: pages would throw only when some are in use. */
function checkPairs(plain: Uint8Array, at: number): void {
  const reader = new MsgpackReader(plain, at);
  for (let left = reader.array(); left > 0; left--) readPair(reader);
}

function readPair(reader: MsgpackReader): ArchivedPair {
  let key: Buffer | undefined;
  let value: Buffer | undefined;
  eachField(reader, (name) => {
    if (name === "Key") key = reader.bytes();
    else if (name === "Value") value = reader.bytes();
    else reader.skip();
  });
  if (key === undefined || value === undefined)
    throw new MsgpackError("a pair without a key or a value");
  return [key, value];
}

/** Runs `read`; invalid MessagePack is damage at `place`. */
export function asDamage<T>(place: ArchivePlace, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof MsgpackError)) throw error;
    throw damaged(`it does not hold what it should: ${error.message}`, place, error);
  }
}
