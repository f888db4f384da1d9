import { hash } from "node:crypto";
import { CborWriter } from "./cbor.js";
import { type ArchivedRecord, encodeRecord } from "./records.js";

/** Bytes of the digest of a record in INDEX.bin. */
export const RECORD_DIGEST_BYTES = 16;

/** The digest of a record by its bytes in `etcd/records/`: docs/format.md, "INDEX.bin". */
export function digestEncodedRecord(encoded: Uint8Array): Uint8Array {
  // As text: a Buffer from the hash, outside of the pool, takes three times as long.
  const bytes = hash("sha256", encoded, "binary").slice(0, RECORD_DIGEST_BYTES);
  return Buffer.from(bytes, "binary");
}

/** Digests records that are not written. Keeps memory for the longest of them. */
export class RecordDigester {
  readonly #encoded = new CborWriter();

  digest(record: ArchivedRecord): Uint8Array {
    this.#encoded.reset();
    encodeRecord(this.#encoded, record);
    return digestEncodedRecord(this.#encoded.view());
  }
}
