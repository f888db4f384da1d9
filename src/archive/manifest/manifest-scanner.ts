import { ArchiveError, damaged } from "../errors.js";
import {
  archiveName,
  FORMAT_VERSION,
  INDEX_NAME,
  MANIFEST_NAME,
  MAX_ARCHIVE_FILES,
  METADATA_NAME,
} from "../format.js";

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
  /** Revision of the raw snapshot of etcd that the backup holds; absent without one. */
  readonly etcdSnapshot?: number;
  readonly files: readonly FileFacts[];
}

/** Longer than any line of a manifest. */
const MAX_LINE_BYTES = 128;
const LINE_FEED = 10;

/** The lines before the first file, with their values as groups. */
const HEAD_LINES = [
  /^\{$/,
  /^ {2}"format": (0|[1-9]\d{0,15}),$/,
  /^ {2}"id": "([0-9a-f]{32})",$/,
  /^ {2}"kind": "(full|incremental)",$/,
  /^ {2}"base": (null|"[0-9a-f]{32}"),$/,
  /^ {2}"startedAt": "([0-9TZ:.-]{24})",$/,
  /^ {2}"finishedAt": "([0-9TZ:.-]{24})",$/,
  /^ {2}"files": \[$/,
] as const;
const FORMAT_LINE = 1;
/** May be before the line of the files. */
const ETCD_SNAPSHOT = /^ {2}"etcdSnapshot": ([1-9]\d{0,15}),$/;

/** The lines of one file. */
const FILE_LINES = [
  /^ {4}\{$/,
  /^ {6}"name": "([A-Z0-9]{1,16}\.bin)",$/,
  /^ {6}"size": (0|[1-9]\d{0,15}),$/,
  /^ {6}"sha256": "([0-9a-f]{64})"$/,
  /^ {4}\}(,?)$/,
] as const;

const TAIL_LINES = ["  ]", "}"] as const;

/**
 * Reads MANIFEST.json line by line in its canonical form (docs/format.md), and rejects the first line that differs. It
 * holds one line and the values read so far, so rejecting other bytes costs next to nothing.
 */
export class ManifestScanner {
  /** The start of a line that goes on in the next piece. */
  #partial = "";
  /** Lines read. */
  #lines = 0;
  /** Of those of {@link HEAD_LINES}. */
  #headLines = 0;
  readonly #head: string[] = [];
  #etcdSnapshot: number | undefined;
  #fileLine = 0;
  #file = { name: "", size: 0 };
  readonly #files: FileFacts[] = [];
  #bytes = 0;
  /** Lines after the last file; undefined before its end. */
  #tail: number | undefined;

  /** The next bytes; they may be reused afterwards. Throws DAMAGED, UNSUPPORTED_VERSION. */
  push(piece: Uint8Array): void {
    const bytes = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
    let from = 0;
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED, from)) {
      this.#line(this.#continued(bytes, from, end));
      this.#partial = "";
      from = end + 1;
    }
    this.#partial = this.#continued(bytes, from, bytes.length);
  }

  /** The manifest, after its last byte. Throws DAMAGED. */
  end(): Manifest {
    if (this.#tail !== TAIL_LINES.length || this.#partial.length > 0) throw this.#wrong();
    const [format = "", id = "", kind = "", base = "", startedAt = "", finishedAt = ""] =
      this.#head;
    return {
      format: Number(format),
      id,
      kind: kind === "full" ? "full" : "incremental",
      base: baseOf(base),
      startedAt,
      finishedAt,
      ...(this.#etcdSnapshot !== undefined && { etcdSnapshot: this.#etcdSnapshot }),
      files: this.#files,
    };
  }

  #continued(bytes: Buffer, from: number, to: number): string {
    if (this.#partial.length + to - from > MAX_LINE_BYTES) throw this.#wrong();
    // Each byte becomes one character; no line of a manifest has one above 0x7f.
    return this.#partial + bytes.toString("latin1", from, to);
  }

  #line(text: string): void {
    if (this.#tail !== undefined) {
      if (text !== TAIL_LINES[this.#tail]) throw this.#wrong();
      this.#tail++;
    } else if (this.#headLines < HEAD_LINES.length) this.#headLine(text);
    else this.#lineOfFile(text);
    this.#lines++;
  }

  #headLine(text: string): void {
    if (this.#isEtcdSnapshot(text)) return;
    const line = this.#headLines++;
    const match = HEAD_LINES[line]?.exec(text);
    if (match == null) throw this.#wrong();
    const [, value] = match;
    if (value === undefined) return;
    if (line === FORMAT_LINE) checkVersion(value);
    this.#head.push(value);
    if (!isConsistent(this.#head)) throw this.#wrong();
  }

  #isEtcdSnapshot(text: string): boolean {
    const isPlace = this.#headLines === HEAD_LINES.length - 1 && this.#etcdSnapshot === undefined;
    const [, revision] = (isPlace && ETCD_SNAPSHOT.exec(text)) || [];
    if (revision === undefined) return false;
    this.#etcdSnapshot = Number(revision);
    if (!Number.isSafeInteger(this.#etcdSnapshot)) throw this.#wrong("its revision is absurd");
    return true;
  }

  #lineOfFile(text: string): void {
    const match = FILE_LINES[this.#fileLine]?.exec(text);
    if (match == null) throw this.#wrong();
    const [, value = ""] = match;
    switch (this.#fileLine) {
      case 1:
        if (!this.#mayFollow(value)) throw this.#wrong(`it names ${value} out of order`);
        this.#file.name = value;
        break;
      case 2:
        this.#file.size = Number(value);
        this.#bytes += this.#file.size;
        if (!Number.isSafeInteger(this.#bytes)) throw this.#wrong("its sizes are absurd");
        break;
      case 3:
        this.#files.push({ ...this.#file, sha256: value });
        break;
      case 4:
        if ((value === "") !== (this.#file.name === METADATA_NAME)) throw this.#wrong();
        if (value === "") this.#tail = 0;
        break;
    }
    this.#fileLine = (this.#fileLine + 1) % FILE_LINES.length;
  }

  /** ARCHIVE files from 0 without a gap, one at least, then INDEX.bin, then METADATA.bin. */
  #mayFollow(name: string): boolean {
    const count = this.#files.length;
    const before = this.#files.at(-1)?.name;
    if (before === INDEX_NAME) return name === METADATA_NAME;
    if (name === INDEX_NAME) return count > 0;
    return count < MAX_ARCHIVE_FILES && name === archiveName(count);
  }

  #wrong(why = "it is not the line of a manifest"): ArchiveError {
    return damaged(`line ${this.#lines + 1}: ${why}`, { file: MANIFEST_NAME });
  }
}

function checkVersion(format: string): void {
  const version = Number(format);
  if (version <= FORMAT_VERSION) return;
  throw new ArchiveError("UNSUPPORTED_VERSION", `format version ${version}`, {
    file: MANIFEST_NAME,
    hint: "use a newer backuptool",
  });
}

/** Whether the values of the first lines, as far as they are read, are consistent. */
function isConsistent([format, , kind, base, ...times]: readonly string[]): boolean {
  const ofKind = base === undefined || (kind === "full") === (base === "null");
  return Number(format) === FORMAT_VERSION && ofKind && times.every(isTime);
}

function baseOf(value: string): string | null {
  return value === "null" ? null : value.slice(1, -1);
}

/** RFC 3339 in UTC with milliseconds, as `toISOString` writes it, of a time that exists. */
export function isTime(text: string): boolean {
  const time = new Date(text);
  return text.length === 24 && !Number.isNaN(time.getTime()) && time.toISOString() === text;
}
