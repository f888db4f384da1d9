import { hash } from "node:crypto";
import { CborWriter } from "./cbor.js";
import { type ArchivedRecord, encodeRecord } from "./records.js";

/** Bytes of the digest of a record in INDEX.bin. */
export const RECORD_DIGEST_BYTES = 16;

/** The digest of a record, from its bytes in `etcd/records/`: docs/format.md, "INDEX.bin". */
export function digestEncodedRecord(encoded: Uint8Array): Uint8Array {
  // A text of the bytes: to make a Buffer of each hash outside of the pool takes three times as long.
  const bytes = hash("sha256", encoded, "binary").slice(0, RECORD_DIGEST_BYTES);
  return Buffer.from(bytes, "binary");
}

/** Digests of records that are not written; holds memory for the longest of them. */
export class RecordDigester {
  readonly #encoded = new CborWriter();

  digest(record: ArchivedRecord): Uint8Array {
    this.#encoded.reset();
    encodeRecord(this.#encoded, record);
    return digestEncodedRecord(this.#encoded.view());
  }
}
