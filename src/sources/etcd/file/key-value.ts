import type { EtcdRecord } from "../types.js";
import { KEY, CREATE_REVISION, MOD_REVISION, VERSION, VALUE, LEASE } from "../key-value-tags.js";

/**
 * The fields of one message `KeyValue` after another. Databases have millions of them, and most are read for a field
 * or two: nothing is allocated until it is asked for.
 */
export class KeyValueFields {
  createRevision = 0;
  modRevision = 0;
  version = 0;
  /** The lease's id as two numbers of 32 bits, both 0 when the key has none. */
  leaseHigh = 0;
  leaseLow = 0;
  #bytes: Buffer = NO_BYTES;
  #keyStart = 0;
  #keyEnd = 0;
  #valueStart = 0;
  #valueEnd = 0;
  #at = 0;
  #low = 0;
  #high = 0;

  /** Reads the message that `bytes` are. Returns false where they are none. */
  read(bytes: Buffer, start = 0, end = bytes.length): boolean {
    this.#bytes = bytes;
    this.#at = start;
    this.createRevision = 0;
    this.modRevision = 0;
    this.version = 0;
    this.leaseHigh = 0;
    this.leaseLow = 0;
    this.#keyStart = this.#keyEnd = 0;
    this.#valueStart = this.#valueEnd = 0;
    while (this.#at < end) {
      if (!this.#varint(end)) return false;
      const tag = this.#number;
      if (!this.#varint(end)) return false;
      switch (tag) {
        case KEY:
          this.#keyStart = this.#at;
          this.#keyEnd = this.#at += this.#number;
          break;
        case VALUE:
          this.#valueStart = this.#at;
          this.#valueEnd = this.#at += this.#number;
          break;
        case CREATE_REVISION:
          this.createRevision = this.#number;
          break;
        case MOD_REVISION:
          this.modRevision = this.#number;
          break;
        case VERSION:
          this.version = this.#number;
          break;
        case LEASE:
          this.leaseHigh = this.#high;
          this.leaseLow = this.#low;
          break;
        default:
          return false;
      }
      if (this.#at > end) return false;
    }
    return true;
  }

  /** A view on the bytes that were read. */
  get key(): Buffer {
    return this.#bytes.subarray(this.#keyStart, this.#keyEnd);
  }

  /** A view on the bytes that were read. */
  get value(): Buffer {
    return this.#bytes.subarray(this.#valueStart, this.#valueEnd);
  }

  get hasLease(): boolean {
    return this.leaseHigh !== 0 || this.leaseLow !== 0;
  }

  /** The lease's id; 0n when the key has none. */
  get lease(): bigint {
    return this.hasLease ? leaseId(this.leaseHigh, this.leaseLow) : 0n;
  }

  /** Key and value are views on the bytes that were read. */
  get record(): EtcdRecord {
    const { key, value, createRevision, modRevision, version, lease } = this;
    return { key, value, createRevision, modRevision, version, lease };
  }

  /** The last varint. Beyond 2^53 it loses its last digits. */
  get #number(): number {
    return this.#high * 2 ** 32 + this.#low;
  }

  #varint(end: number): boolean {
    const bytes = this.#bytes;
    let low = 0;
    let high = 0;
    let at = this.#at;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) return false;
      const byte = bytes[at++] ?? 0;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        this.#low = low >>> 0;
        this.#high = high >>> 0;
        this.#at = at;
        return true;
      }
    }
    return false;
  }
}

const NO_BYTES: Buffer = Buffer.alloc(0);

/** A lease's id of its two halves: etcd's is a signed number. */
export function leaseId(high: number, low: number): bigint {
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low));
}

/** What the database holds of a deletion: a message `KeyValue` with nothing but the key. */
export function encodeDeletion(key: Uint8Array): Buffer {
  const header = Buffer.concat([Buffer.of(KEY), encodeVarint(BigInt(key.length))]);
  return key.length === 0 ? NO_BYTES : Buffer.concat([header, key]);
}

/** @param value from 0 to 2^64 - 1 */
export function encodeVarint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}
