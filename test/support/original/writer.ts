import { createCipheriv, randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { encode } from "@msgpack/msgpack";
import { compressSync } from "snappy";
import { deriveOriginalKey } from "../../../src/archive/original/format.js";

/** Writes archives as the original tool does, and such as it never would. */

export const ORIGINAL_PASSPHRASE = "small-fixture-passphrase";

let key: Promise<Uint8Array> | undefined;

export function originalKey(): Promise<Uint8Array> {
  key ??= deriveOriginalKey(Buffer.from(ORIGINAL_PASSPHRASE));
  return key;
}

type Pairs = readonly (readonly [string, Uint8Array])[];

export interface OriginalObjectToWrite {
  readonly pool: string;
  readonly namespace?: string;
  readonly name: string;
  readonly content: Uint8Array;
  readonly xattrs?: Pairs;
  readonly omap?: Pairs;
  readonly mtime?: bigint;
}

const pairs = (list: Pairs = []) => list.map(([Key, Value]) => ({ Key, Value }));

export function objectPayload(object: OriginalObjectToWrite): Uint8Array {
  return encode({
    OMAPData: pairs(object.omap),
    XATTRData: pairs(object.xattrs),
    Content: object.content,
    Name: object.name,
    Namespace: object.namespace ?? "",
    Pool: object.pool,
  });
}

export function recordsPayload(records: Pairs): Uint8Array {
  return encode({ KVz: pairs(records) });
}

export function metadataPayload(
  files: number,
  objects: readonly OriginalObjectToWrite[],
): Uint8Array {
  return encode(
    {
      NumberOfFiles: files,
      Timestamps: objects.map(({ pool, namespace = "", name, mtime = 1n }) => ({
        Key: { Pool: pool, Namespace: namespace, OID: name },
        Val: mtime,
      })),
    },
    { useBigInt64: true },
  );
}

/** One frame with `payload` compressed in it, or with `block` as it is. */
export async function frame(
  type: number,
  payload: Uint8Array,
  options: { block?: Uint8Array } = {},
): Promise<Buffer> {
  const block = options.block ?? compressSync(Buffer.from(payload));
  const nonce = randomBytes(16);
  const cipher = createCipheriv("aes-256-gcm", await originalKey(), nonce);
  const sealed = Buffer.concat([cipher.update(block), cipher.final(), cipher.getAuthTag()]);
  const header = Buffer.alloc(16);
  header.writeUInt32BE(0xbddb55aa, 0);
  header.writeUInt32BE(type, 4);
  header.writeBigUInt64BE(BigInt(sealed.length), 8);
  return Buffer.concat([header, nonce, sealed]);
}

/** Writes a whole archive: the objects and then the records of each ARCHIVE file. */
export async function writeOriginal(
  folder: string,
  files: readonly { objects?: readonly OriginalObjectToWrite[]; records?: Pairs }[],
): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const all: OriginalObjectToWrite[] = [];
  for (const [number, { objects = [], records }] of files.entries()) {
    const name = `ARCHIVE${String(number).padStart(5, "0")}.bin`;
    const file = openSync(join(folder, name), "wx");
    for (const object of objects) writeSync(file, await frame(20, objectPayload(object)));
    if (records !== undefined) writeSync(file, await frame(10, recordsPayload(records)));
    closeSync(file);
    all.push(...objects);
  }
  const metadata = await frame(30, metadataPayload(files.length, all));
  writeFileSync(join(folder, "METADATA.bin"), metadata);
  const pools = [...new Set(all.map(({ pool }) => pool))];
  writeFileSync(join(folder, "pools.txt"), pools.map((pool) => `${pool}\n`).join(""));
}

/** The frames of a file, each with its head. */
export function framesOf(path: string): Buffer[] {
  const bytes = readFileSync(path);
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = 32 + Number(bytes.readBigUInt64BE(at + 8));
    frames.push(bytes.subarray(at, at + length));
    at += length;
  }
  return frames;
}
