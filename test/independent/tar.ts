import { checkIn } from "./answer.js";

/** docs/format.md, "The tar inside": its headers and paths. */
export interface TarEntry {
  readonly path: string;
  readonly content: Buffer;
  /** Nanoseconds; undefined where there is no pax record of it. */
  readonly mtime: bigint | undefined;
  /** Of its first block. */
  readonly offset: number;
}

const MOST_OCTAL = 8 * 2 ** 30 - 1;

export function untar(tar: Buffer, file: string): TarEntry[] {
  const entries: TarEntry[] = [];
  let at = 0;
  let pax: Map<string, string> | undefined;
  let offset = 0;
  for (;;) {
    checkIn(file, at + 512 <= tar.length, "no end");
    const block = tar.subarray(at, at + 512);
    if (pax === undefined) offset = at;
    if (block.every((byte) => byte === 0)) {
      checkIn(file, pax === undefined, "pax records of nothing");
      checkIn(file, tar.length === at + 1024, "not two blocks at the end");
      checkIn(
        file,
        tar.subarray(at).every((byte) => byte === 0),
        "bytes behind the end",
      );
      return entries;
    }
    const { name, size, type } = header(block, file);
    const paxSize = pax?.get("size");
    const length = type === "x" || paxSize === undefined ? size : Number(paxSize);
    const small = type === "x" || !/^(ceph|ceph-located)\//.test(pax?.get("path") ?? name);
    checkIn(file, !small || length <= 80 << 20, "too long");
    const end = at + 512 + length;
    const padded = Math.ceil(end / 512) * 512;
    checkIn(file, padded <= tar.length, "cut");
    const content = tar.subarray(at + 512, end);
    checkIn(
      file,
      tar.subarray(end, padded).every((byte) => byte === 0),
      "padding",
    );
    at = padded;
    if (type === "x") {
      checkIn(file, pax === undefined, "pax records twice");
      pax = paxRecords(content.toString("latin1"), file);
      continue;
    }
    checkIn(file, type === "0", "type");
    const path = pax?.get("path") ?? name;
    checkIn(file, path.slice(0, 100) === name, "two names");
    entries.push({ path, content, mtime: timeOf(pax?.get("mtime"), file), offset });
    pax = undefined;
  }
}

function header(block: Buffer, file: string): { name: string; size: number; type: string } {
  const text = (from: number, to: number) => block.toString("latin1", from, to);
  const summed = Buffer.from(block).fill(0x20, 148, 156);
  const sum = summed.reduce((all, byte) => all + byte, 0);
  checkIn(file, Number.parseInt(text(148, 154), 8) === sum, "checksum");
  checkIn(file, text(100, 124) === `0000600\0${"0000000\0".repeat(2)}`, "mode and owner");
  checkIn(file, text(157, 265) === `${"\0".repeat(100)}ustar\x0000`, "link and magic");
  checkIn(file, text(265, 512) === "\0".repeat(247), "names and prefix");
  const size = /^([0-7]+)[\0 ]$/.exec(text(124, 136))?.[1];
  checkIn(file, size !== undefined, "size");
  const name = text(0, 100).replace(/\0+$/, "");
  checkIn(file, !name.includes("\0"), "name");
  return { name, size: Number.parseInt(size, 8), type: text(156, 157) };
}

function paxRecords(text: string, file: string): Map<string, string> {
  const records = new Map<string, string>();
  for (let rest = text; rest.length > 0; ) {
    const length = Number(/^(\d{1,8}) /.exec(rest)?.[1] ?? Number.NaN);
    const record = rest.slice(0, length);
    checkIn(file, record.length === length && record.endsWith("\n"), "pax length");
    const [, key = "", value = ""] = /^\d+ ([^=]+)=(.*)\n$/s.exec(record) ?? [];
    checkIn(file, ["path", "size", "mtime"].includes(key) && !records.has(key), "pax key");
    records.set(key, value);
    rest = rest.slice(length);
  }
  const { path, size } = Object.fromEntries(records);
  checkIn(file, path === undefined || path.length > 100, "pax path");
  checkIn(
    file,
    size === undefined || (/^\d+$/.test(size) && Number(size) > MOST_OCTAL),
    "pax size",
  );
  return records;
}

function timeOf(text: string | undefined, file: string): bigint | undefined {
  if (text === undefined) return undefined;
  const [, sign, seconds, decimals = ""] = /^(-?)(\d{1,11})(?:\.(\d{1,9}))?$/.exec(text) ?? [];
  checkIn(file, seconds !== undefined, "pax time");
  const ns = BigInt(seconds + decimals.padEnd(9, "0"));
  return sign === "-" ? -ns : ns;
}

/** The encoding of one part of a path. */
export function part(bytes: Buffer): string {
  if (bytes.length === 0) return "-";
  const dots = bytes.every((byte) => byte === 0x2e);
  let out = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    const plain = /[A-Za-z0-9._~-]/.test(character) && !(dots && character === ".");
    out += plain ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  if (out === "-") out = "%2D";
  return (out.match(/.{1,240}/g) ?? []).join("%/");
}

/** The bytes of a part in any encoding. */
export function partBytes(text: string): Buffer {
  if (text === "-") return Buffer.alloc(0);
  return Buffer.from(
    text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
}
