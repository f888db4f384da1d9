import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ArchiveErrorCode } from "../../../src/archive/errors.js";
import { encodeTarHeader, TAR_BLOCK } from "../../../src/archive/tar/tar-header.js";
import type { Forger } from "./forge.js";
import type { SampleContents } from "./sample.js";

/** A backup to damage, and a twin with the same passphrase and contents. */
export interface Spoiling {
  readonly forger: Forger;
  readonly folder: string;
  readonly twin: string;
}

export interface Fault {
  readonly code: ArchiveErrorCode;
  /** The file that the error names. */
  readonly file: string | null;
  /** The error message, which shows that this fault was found. */
  readonly reason?: RegExp;
  /** The contents of the backup before the damage; two objects and a record by default. */
  readonly contents?: SampleContents;
  /** Whether it is an incremental, whose base does not exist. */
  readonly incremental?: boolean;
  spoil(s: Spoiling): void | Promise<void>;
}

export const FIRST = "ARCHIVE00000.bin";
export const SECOND = "ARCHIVE00001.bin";

export const read = (folder: string, name: string) => readFileSync(join(folder, name));
export const write = ({ folder }: Spoiling, name: string, bytes: Uint8Array | string) =>
  writeFileSync(join(folder, name), bytes);

/** A fault that was sealed with the passphrase. */
export function forged(file: string, forge: (forger: Forger) => Promise<void>): Fault {
  return { code: "DAMAGED", file, spoil: ({ forger }) => forge(forger) };
}

export function tar(...parts: readonly Uint8Array[]): Fault {
  return forged(FIRST, (forger) => forger.replaceArchive(FIRST, 0, Buffer.concat(parts)));
}

export function entry(path: string, hex: string): Buffer {
  const content = Buffer.alloc(TAR_BLOCK);
  const bytes = Buffer.from(hex, "hex");
  content.set(bytes);
  return Buffer.concat([encodeTarHeader(path, bytes.length), content]);
}
