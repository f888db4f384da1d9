import { encode } from "cborg";
import type { BackupKeys } from "../../../src/archive/crypto/backup-keys.js";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import { FileType } from "../../../src/archive/format.js";
import { FileForger } from "./forge.js";

/** The items of a delta, as CBOR that a test may change: docs/format.md, "A stream of deltas". */
export interface DeltaItems {
  head: unknown[];
  revisions: unknown[][];
}

/** Seals deltas of any content, in small chunks. */
export class DeltaForger extends FileForger {
  constructor(
    keys: BackupKeys,
    readonly stream: string,
    readonly cluster = "cdf818194e3a8c32",
  ) {
    super(keys);
  }

  protected override get chunkBytes(): number {
    return 512;
  }

  /** The items of a delta as they should be. */
  items(
    revisions: readonly ArchivedRevision[],
    before: Uint8Array | null,
    hole: readonly unknown[] | null = null,
  ): DeltaItems {
    const [first, last] = [revisions[0], revisions.at(-1)];
    const after = changesDigest(last?.changes ?? []);
    const range = [first?.revision ?? 0, last?.revision ?? 0];
    return {
      head: [1, this.stream, this.cluster, ...range, before, after, 0, hole],
      revisions: revisions.map(({ revision, seenMs, changes, leases }) => [
        revision,
        seenMs,
        changes.map(({ deleted, kv }) => [deleted ? 1 : 0, kv]),
        leases.map(({ id, grantedTtl }) => [id, grantedTtl]),
      ]),
    };
  }

  /** A whole file of this content. */
  file(number: number, items: DeltaItems): Buffer {
    return this.fileOf(number, this.plain(items));
  }

  plain({ head, revisions }: DeltaItems): Buffer {
    return Buffer.concat([head, ...revisions].map((item) => encode(item)));
  }

  /** A whole file of any plaintext. */
  fileOf(number: number, plain: Buffer): Buffer {
    return this.seal(FileType.delta, number, plain);
  }
}
