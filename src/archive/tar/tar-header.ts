/**
 * POSIX tar (ustar and pax) headers of regular files. tar-stream does not export its header code, and moves every byte
 * through its streams, which costs time of the main thread. Tests compare these headers with tar-stream and GNU tar.
 */

export const TAR_BLOCK = 512;
/** Two zero blocks. */
export const TAR_END = new Uint8Array(2 * TAR_BLOCK);

const MAX_NAME = 100;
/** Largest size of 11 octal digits; larger ones are in a pax record. */
const MAX_OCTAL_SIZE = 0o77777777777;
const NS_PER_S = 1_000_000_000n;

const template = Buffer.alloc(TAR_BLOCK);
template.write("0000600\0", 100, "latin1");
template.write("0000000\0", 108, "latin1");
template.write("0000000\0", 116, "latin1");
template.write("ustar\0" + "00", 257, "latin1");

/** Mode, owner and group; all after the type. Other programs read them, and must unpack what this program reads. */
const FIXED_FIELDS = [
  [100, 124],
  [157, TAR_BLOCK],
] as const;

function block(
  target: Buffer,
  at: number,
  name: string,
  size: number,
  mtime: number,
  type: string,
) {
  template.copy(target, at);
  target.write(name, at, MAX_NAME, "latin1");
  target.write(size.toString(8).padStart(11, "0"), at + 124, "latin1");
  target.write(mtime.toString(8).padStart(11, "0"), at + 136, "latin1");
  target.write(type, at + 156, "latin1");
  let sum = 8 * 32;
  for (let i = at; i < at + TAR_BLOCK; i++) sum += target[i] as number;
  target.write(sum.toString(8).padStart(6, "0"), at + 148, "latin1");
  target[at + 154] = 0;
  target[at + 155] = 32;
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) {
    length = String(length).length + rest.length;
  }
  return length + rest;
}

/** Nanoseconds as a time of pax: decimal seconds. */
function paxTime(ns: bigint): string {
  const negative = ns < 0n;
  const magnitude = negative ? -ns : ns;
  const seconds = magnitude / NS_PER_S;
  const fraction = magnitude % NS_PER_S;
  const digits = fraction === 0n ? "" : `.${String(fraction).padStart(9, "0")}`;
  return `${negative ? "-" : ""}${seconds}${digits}`;
}

/**
 * The header blocks of an entry: `path` in ASCII, `size` in bytes, `mtime` in nanoseconds since 1970, absent for entries
 * without a time.
 */
export function encodeTarHeader(path: string, size: number, mtime?: bigint): Buffer {
  let pax = "";
  if (path.length > MAX_NAME) pax += paxRecord("path", path);
  if (size > MAX_OCTAL_SIZE) pax += paxRecord("size", String(size));
  if (mtime !== undefined) pax += paxRecord("mtime", paxTime(mtime));
  const seconds =
    mtime === undefined || mtime < 0n ? 0 : Math.min(Number(mtime / NS_PER_S), MAX_OCTAL_SIZE);
  const paxBlocks = pax === "" ? 0 : 1 + Math.ceil(pax.length / TAR_BLOCK);
  const out = Buffer.alloc((paxBlocks + 1) * TAR_BLOCK);
  if (paxBlocks > 0) {
    block(out, 0, "pax", pax.length, 0, "x");
    out.write(pax, TAR_BLOCK, "latin1");
  }
  const octalSize = size > MAX_OCTAL_SIZE ? 0 : size;
  block(out, paxBlocks * TAR_BLOCK, path.slice(0, MAX_NAME), octalSize, seconds, "0");
  return out;
}

/** Zero bytes after `size` bytes of data. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** The header is not of this format. */
export class TarError extends Error {}

interface TarBlock {
  readonly name: string;
  readonly size: number;
  /** `0` a file, `x` pax records. */
  readonly type: string;
}

function octal(bytes: Buffer, at: number, length: number): number {
  const text = bytes.toString("latin1", at, at + length).replace(/[\0 ]+$/, "");
  if (!/^[0-7]+$/.test(text)) throw new TarError("a number in a tar header is not octal");
  return Number.parseInt(text, 8);
}

/** One header block; undefined for a block of zeros. Throws {@link TarError}. */
export function decodeTarBlock(bytes: Buffer): TarBlock | undefined {
  let sum = 0;
  for (let i = 0; i < TAR_BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (bytes[i] as number);
  // All zero but the checksum field, which must then be zero too.
  if (sum === 8 * 32 && bytes.readBigUInt64LE(148) === 0n) return undefined;
  if (octal(bytes, 148, 7) !== sum) throw new TarError("a tar header's checksum is wrong");
  for (const [from, to] of FIXED_FIELDS) {
    if (bytes.compare(template, from, to, from, to) !== 0) {
      throw new TarError("a tar header's mode, owner, link, magic or prefix is not of this format");
    }
  }
  const zero = bytes.indexOf(0);
  const end = zero >= 0 && zero < MAX_NAME ? zero : MAX_NAME;
  if (bytes.compare(template, end, MAX_NAME, end, MAX_NAME) !== 0) {
    throw new TarError("bytes after the name in a tar header");
  }
  const name = bytes.toString("latin1", 0, end);
  return { name, size: octal(bytes, 124, 12), type: String.fromCharCode(bytes[156] as number) };
}

/** Whether the name of a header block is that of `path`, cut to its length. */
export function isNameOf(name: string, path: string): boolean {
  return name === (path.length > MAX_NAME ? path.slice(0, MAX_NAME) : path);
}

export interface PaxRecords {
  readonly path?: string;
  readonly size?: number;
  readonly mtime?: bigint;
}

/** The records of a pax header; throws {@link TarError} for any that this format does not have. */
export function decodePax(bytes: Buffer): PaxRecords {
  const text = bytes.toString("latin1");
  const records: { path?: string; size?: number; mtime?: bigint } = {};
  let at = 0;
  while (at < text.length) {
    const space = text.indexOf(" ", at);
    const digits = text.slice(at, space);
    const length = Number(digits);
    const end = at + length;
    const isWhole =
      space >= 0 && /^\d{1,8}$/.test(digits) && end > space + 1 && text[end - 1] === "\n";
    if (!isWhole) throw new TarError("a pax record's length is wrong");
    const record = text.slice(space + 1, end - 1);
    const equals = record.indexOf("=");
    if (equals < 0) throw new TarError("a pax record without a value");
    const value = record.slice(equals + 1);
    const key = record.slice(0, equals);
    if (key !== "path" && key !== "size" && key !== "mtime") {
      throw new TarError("a pax record that is not of this format");
    }
    if (records[key] !== undefined) throw new TarError("a pax record that comes twice");
    if (key === "path") records.path = parsePaxPath(value);
    else if (key === "size") records.size = parseSize(value);
    else records.mtime = parseTime(value);
    at = end;
  }
  return records;
}

function parsePaxPath(value: string): string {
  if (value.length <= MAX_NAME) throw new TarError("a pax path that the header has room for");
  return value;
}

function parseSize(value: string): number {
  const size = Number(value);
  if (!/^\d+$/.test(value) || !Number.isSafeInteger(size))
    throw new TarError("a pax size is wrong");
  if (size <= MAX_OCTAL_SIZE) throw new TarError("a pax size that the header has room for");
  return size;
}

function parseTime(value: string): bigint {
  const match = /^(-?)(\d{1,11})(?:\.(\d{1,9}))?$/.exec(value);
  if (match === null) throw new TarError("a pax time is wrong");
  const ns = BigInt(match[2] ?? "0") * NS_PER_S + BigInt((match[3] ?? "").padEnd(9, "0"));
  return match[1] === "-" ? -ns : ns;
}
