import { createHash } from "node:crypto";
import { damaged } from "../errors.js";
import { archiveName, METADATA_NAME, SNAPSHOT_PIECE_BYTES } from "../format.js";
import type { RawSnapshot } from "../metadata.js";
import { TAR_BLOCK, tarPadding } from "../tar/tar-header.js";

/** Where the entry of a piece is: its number, and its place in the ARCHIVE files. */
interface PiecePlace {
  readonly number: number;
  readonly file: number;
  readonly offset: number;
}

/** Checks the pieces of the raw snapshot of a backup, in their order: docs/format.md, "Raw snapshots of etcd". */
export class SnapshotPieces {
  readonly #snapshot: RawSnapshot;
  readonly #hash = createHash("sha256");
  #next: PiecePlace;
  #bytes = 0;

  constructor(snapshot: RawSnapshot) {
    this.#snapshot = snapshot;
    this.#next = { number: snapshot.firstPiece, file: snapshot.file, offset: 0 };
  }

  /** Bytes of the pieces so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether all bytes were there. */
  get complete(): boolean {
    return this.#bytes === this.#snapshot.bytes;
  }

  /** Takes the next piece that is not void. Throws DAMAGED. */
  add(bytes: Buffer, { number, file, offset }: PiecePlace): void {
    const next = this.#next;
    const wrong = (message: string) =>
      damaged(`piece ${number} of the raw snapshot ${message}`, { file: archiveName(file) });
    if (number !== next.number) throw wrong("is out of order");
    const left = this.#snapshot.bytes - this.#bytes;
    if (left === 0) throw wrong("comes after its end");
    const here = file === next.file && offset === next.offset;
    const inNextFile = this.#bytes > 0 && file === next.file + 1 && offset === 0;
    if (!here && !inNextFile) throw wrong("is not where METADATA.bin and the pieces before say");
    const expected = Math.min(left, SNAPSHOT_PIECE_BYTES);
    if (bytes.length !== expected) throw wrong(`has ${bytes.length} bytes instead of ${expected}`);
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    const end = offset + TAR_BLOCK + bytes.length + tarPadding(bytes.length);
    this.#next = { number: number + 1, file, offset: end };
  }

  /** Checks the whole. Throws DAMAGED. */
  end(): void {
    const wrong = (message: string) => damaged(message, { file: METADATA_NAME });
    const { bytes, sha256 } = this.#snapshot;
    if (!this.complete) {
      throw wrong(
        `it says that the raw snapshot has ${bytes} bytes, but the archive holds ${this.#bytes}`,
      );
    }
    if (this.#hash.digest("hex") !== sha256) {
      throw wrong("its SHA-256 of the raw snapshot is not that of the pieces in the archive");
    }
  }
}
