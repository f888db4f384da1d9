import { createHash } from "node:crypto";
import { FolderFiles } from "../../../src/archive/backup-files.js";
import type { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { BackupReader } from "../../../src/archive/backup-reader.js";
import type { ArchiveItem } from "../../../src/archive/contents.js";
import { ContentsCheck } from "../../../src/archive/contents-check.js";
import type { EntryName } from "../../../src/archive/tar/entry-path.js";
import { ArchiveError, type ArchiveErrorCode } from "../../../src/archive/errors.js";
import type { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { inspectBackup } from "../../../src/operations/inspect/inspect.js";

/** What a reader got of a backup before it ended. */
export interface Reading {
  /** One line for each item, in order, with data in hex. */
  readonly lines: readonly string[];
  /** The error; undefined when all was read. */
  readonly error: ArchiveError | undefined;
}

/**
 * Reads a backup as `restore` does, without the digests of MANIFEST.json, and keeps what a target would get. Rethrows
 * anything but an ArchiveError.
 */
export async function readAll(
  folder: string,
  passphrase: PassphraseKeys,
  pool: SealPool,
): Promise<Reading> {
  const lines: string[] = [];
  try {
    const backup = await BackupReader.open(new FolderFiles(folder), passphrase, pool);
    for await (const items of backup.readIndex()) {
      for (const item of items) lines.push(`index ${plain(item)}`);
    }
    const check = new ContentsCheck(backup);
    try {
      for (let number = 0; number < backup.archives.length; number++) {
        for await (const { items } of check.items(number)) lines.push(...items.map(lineOf));
      }
    } finally {
      await check.close();
    }
    return { lines, error: undefined };
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return { lines, error };
  }
}

/** The error code of `inspect`, or "read" without an error. Rethrows other errors. */
export async function inspect(
  folder: string,
  passphrase: string,
): Promise<ArchiveErrorCode | "read"> {
  return (await inspectError(folder, passphrase))?.code ?? "read";
}

/** The error of `inspect`. Rethrows other errors. */
export async function inspectError(
  folder: string,
  passphrase: string,
): Promise<ArchiveError | undefined> {
  try {
    await inspectBackup(
      { location: { kind: "folder", folder }, quick: false },
      {
        signal: new AbortController().signal,
        report: () => {},
        passphrase: async () => Buffer.from(passphrase),
      },
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return error;
  }
}

/** SHA-256 of all items. */
export function readingDigest({ lines }: Reading): string {
  return createHash("sha256").update(lines.join("\n")).digest("hex");
}

function lineOf(item: ArchiveItem): string {
  switch (item.type) {
    case "attributes":
      return `attrs ${name(item.object)} ${plain(item.attributes)}`;
    case "omap":
      return `omap ${name(item.object)} ${plain(item.pairs)}`;
    case "data-start":
      return `object ${name(item.object)} ${item.size} ${item.mtime} ${item.offset}`;
    case "data":
      return `data ${item.bytes.toString("hex")}`;
    case "data-end":
      return "end";
    case "torn":
      return `torn ${name(item.object)}`;
    case "records":
      return `records ${item.offset} ${plain(item.records)}`;
    case "leases":
      return `leases ${plain(item.leases)}`;
    case "tombstones":
      return `tombstones ${plain(item.tombstones)}`;
    case "snapshot-piece": {
      const digest = createHash("sha256").update(item.bytes).digest("hex");
      return `piece ${item.number} ${item.offset} ${item.bytes.length} ${digest}`;
    }
  }
}

function name({ pool, namespace, locator, name: own }: EntryName): string {
  return plain([pool, namespace, locator, own]);
}

/** Bytes in hex and 64-bit numbers in decimal: the same text for equal values. */
function plain(value: unknown): string {
  return JSON.stringify(readable(value));
}

function readable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return value.map(readable);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, held]) => [key, readable(held)]));
}
