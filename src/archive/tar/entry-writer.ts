import { BackupToolError } from "../../errors.js";
import { CborWriter } from "../cbor.js";
import {
  type EntryName,
  leasesPath,
  objectPath,
  recordsPath,
  snapshotPath,
  tombstonesPath,
} from "./entry-path.js";
import { MAX_ENTRY_BYTES } from "../format.js";
import {
  type ArchivedLease,
  type ArchivedPair,
  encodeAttributes,
  encodeLease,
  encodePairs,
  encodeTombstone,
  type ObjectAttributes,
  type Tombstone,
} from "../records.js";
import { encodeTarHeader, TAR_BLOCK } from "./tar-header.js";

/** Writes the entries of docs/format.md, "The tar inside". Subclasses decide where the bytes go. */
export abstract class EntryWriter {
  readonly #item = new CborWriter();
  #tombstonePages = 0;
  #recordPages = 0;
  #leasePages = 0;
  #snapshotPieces = 0;

  /** Takes a copy of the bytes. */
  protected abstract append(bytes: Uint8Array): void;

  /** Zeros up to the next multiple of `bytes`. */
  protected abstract pad(bytes: number): void;

  /** Resolves when there is room for more. */
  abstract ready(): Promise<void>;

  attributes(object: EntryName, attributes: ObjectAttributes): void {
    this.#entry(objectPath("attrs", object), (out) => encodeAttributes(out, attributes));
  }

  /** A further page of an omap; `page` counts from 1. */
  omapPage(object: EntryName, page: number, pairs: readonly ArchivedPair[]): void {
    this.#entry(objectPath("omap", object, page), (out) => encodePairs(out, pairs));
  }

  /** Starts an object's data: `size` bytes follow, then {@link endData}. */
  beginData(object: EntryName, size: number, mtime: bigint): void {
    this.append(encodeTarHeader(objectPath("data", object), size, mtime));
  }

  /** A part of the data, which is copied. */
  copiedData(bytes: Uint8Array): void {
    this.append(bytes);
  }

  endData(): void {
    this.pad(TAR_BLOCK);
  }

  /** Makes the entries of `object` just before this one void. */
  torn(object: EntryName): void {
    this.#entry(objectPath("torn", object), () => {});
  }

  /** Number of the next batch of records. */
  get recordBatches(): number {
    return this.#recordPages;
  }

  /** A batch of encoded etcd records: a CBOR sequence. */
  records(encoded: Uint8Array): void {
    this.#entry(recordsPath(this.#recordPages++), (out) => out.raw(encoded));
  }

  leases(leases: readonly ArchivedLease[]): void {
    this.#entry(leasesPath(this.#leasePages++), (out) => {
      for (const lease of leases) encodeLease(out, lease);
    });
  }

  tombstones(tombstones: readonly Tombstone[]): void {
    this.#entry(tombstonesPath(this.#tombstonePages++), (out) => {
      for (const tombstone of tombstones) encodeTombstone(out, tombstone);
    });
  }

  /** Number of the next piece of a raw snapshot. */
  get snapshotPieces(): number {
    return this.#snapshotPieces;
  }

  /** Starts a piece of a raw snapshot: `size` bytes follow by {@link copiedData}, then {@link endData}. */
  beginSnapshotPiece(size: number): void {
    this.append(encodeTarHeader(snapshotPath(this.#snapshotPieces++), size));
  }

  #entry(path: string, write: (out: CborWriter) => void): void {
    this.#item.reset();
    write(this.#item);
    const content = this.#item.view();
    // A backup that no reader accepts must not be finished.
    if (content.length > MAX_ENTRY_BYTES) throw tooLong(path, content.length);
    this.append(encodeTarHeader(path, content.length));
    this.append(content);
    this.pad(TAR_BLOCK);
  }
}

function tooLong(path: string, bytes: number): Error {
  return new BackupToolError(
    "ENTRY_TOO_LONG",
    `${path} would take ${bytes} bytes, more than the ${MAX_ENTRY_BYTES} that an entry may have`,
  );
}
