import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import protobuf from "protobufjs/minimal.js";
import { BackupToolError, errorMessage } from "../../../errors.js";
import { quoted } from "../../../quoted.js";

/** The member whose data a data dir holds. */
export interface DataDirIdentity {
  readonly memberId: bigint;
  readonly clusterId: bigint;
}

/** Both records are at the head of each file, and short. */
const HEAD_BYTES = 4096;
const WAL_NAME = /^[0-9a-f]{16}-[0-9a-f]{16}\.wal$/;
const METADATA_RECORD = 1;

/**
 * Reads from the log of a data dir which member of which cluster it is. Undefined where the folder does not exist, or holds
 * nothing of a member yet.
 *
 * @throws BackupToolError `ETCD_DATA_DIR` when it holds something else
 */
export async function dataDirIdentity(dataDir: string): Promise<DataDirIdentity | undefined> {
  const wal = join(dataDir, "member", "wal");
  try {
    if ((await namesIn(join(dataDir, "member"))).length === 0) return undefined;
    const [first] = (await namesIn(wal)).filter((name) => WAL_NAME.test(name)).sort();
    if (first === undefined) throw new Error(`no log in ${quoted(wal)}`);
    return identityIn(await headOf(join(wal, first)));
  } catch (cause) {
    throw new BackupToolError(
      "ETCD_DATA_DIR",
      `cannot tell which member the etcd data dir ${quoted(dataDir)} belongs to: ${errorMessage(cause)}`,
      { cause, hint: "move it away if nothing of it is needed", settings: ["etcd-data-dir"] },
    );
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}

async function headOf(path: string): Promise<Buffer> {
  const file = await open(path);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    const { bytesRead } = await file.read(head, 0, HEAD_BYTES, 0);
    return head.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/**
 * A file of etcd's log is a sequence of records, each after its length: a little-endian 64-bit number whose lower 56 bits
 * are the bytes of the record, and whose highest bit says that the bits 56 to 58 count bytes of padding (`decoder.go` and
 * `encoder.go` of etcd's `wal`). Each file begins with a checksum and the metadata.
 */
export function identityIn(head: Buffer): DataDirIdentity {
  for (let at = 0; at + 8 <= head.length; ) {
    const length = head.readBigUInt64LE(at);
    const bytes = Number(length & ((1n << 56n) - 1n));
    const padding = length >> 63n === 0n ? 0 : Number((length >> 56n) & 7n);
    if (bytes === 0) break;
    const record = head.subarray(at + 8, at + 8 + bytes);
    if (record.length < bytes) break;
    const { type, data } = decodeRecord(record);
    if (type === METADATA_RECORD) return decodeMetadata(data);
    at += 8 + bytes + padding;
  }
  throw new Error("the log has no metadata at its head");
}

/** `Record` of etcd's `walpb`: 1 type, 2 checksum, 3 data. */
function decodeRecord(bytes: Buffer): { type: number; data: Uint8Array } {
  const reader = protobuf.Reader.create(bytes);
  let type = 0;
  let data: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) type = reader.uint32();
    else if (tag === 26) data = reader.bytes();
    else reader.skipType(tag & 7);
  }
  return { type, data };
}

/** `Metadata` of etcd's `etcdserverpb`: 1 the member's id, 2 the cluster's. */
function decodeMetadata(bytes: Uint8Array): DataDirIdentity {
  const reader = protobuf.Reader.create(bytes);
  let memberId = 0n;
  let clusterId = 0n;
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 8) memberId = unsigned(reader.uint64());
    else if (tag === 16) clusterId = unsigned(reader.uint64());
    else reader.skipType(tag & 7);
  }
  return { memberId, clusterId };
}

function unsigned({ high, low }: { readonly high: number; readonly low: number }): bigint {
  return (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
}
