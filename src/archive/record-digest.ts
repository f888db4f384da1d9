import { hash } from "node:crypto";
import { CborWriter } from "./cbor.js";
import { type ArchivedRecord, encodeRecord } from "./records.js";

/** Bytes of the digest of a record in INDEX.bin. */
export const RECORD_DIGEST_BYTES = 16;

/** The digest of a record, from its bytes in `etcd/records/`: docs/format.md, "INDEX.bin". */
export function digestEncodedRecord(encoded: Uint8Array): Uint8Array {
  return hash("sha256", encoded, "buffer").subarray(0, RECORD_DIGEST_BYTES);
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
