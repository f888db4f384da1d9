import { createDecipheriv } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { uncompressSync } from "snappy";
import { contentPrefixes } from "./content-prefixes.js";
import { MAX_PLAIN_BYTES, MAX_SNAPPY_RATIO, TAG_BYTES } from "./format.js";
import type { FrameJob, FrameReply } from "./frame-jobs.js";
import { MsgpackError } from "./msgpack-reader.js";
import { readObject } from "./payloads.js";

const port = parentPort;
if (port === null) throw new Error("frame-worker runs as a worker thread only");

/** Why a frame cannot be read. */
class FrameFault extends Error {}

/** Bytes to decrypt at once. Each piece has memory of its own, and large ones would pile up until they are collected. */
const PIECE_BYTES = 1 << 20;
let scratch = Buffer.allocUnsafeSlow(PIECE_BYTES);

/** Returns a view that the next call makes invalid; undefined when the frame is not authentic. */
function decrypt({ sealed, nonce, key }: FrameJob): Buffer | undefined {
  const ciphertext = Buffer.from(sealed, 0, sealed.byteLength - TAG_BYTES);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAuthTag(Buffer.from(sealed, ciphertext.length));
  if (scratch.length < ciphertext.length) scratch = Buffer.allocUnsafeSlow(ciphertext.length);
  for (let at = 0; at < ciphertext.length; at += PIECE_BYTES) {
    scratch.set(decipher.update(ciphertext.subarray(at, at + PIECE_BYTES)), at);
  }
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return scratch.subarray(0, ciphertext.length);
}

/** The length of its content that a snappy block claims: a varint at its start. */
function claimedLength(block: Buffer): number {
  let length = 0;
  for (let i = 0; i < Math.min(5, block.length); i++) {
    const byte = block[i] as number;
    length += (byte & 0x7f) * 2 ** (7 * i);
    if (byte < 0x80) return length;
  }
  throw new FrameFault("it is not a snappy block");
}

function decompress(block: Buffer): ArrayBuffer {
  // Checked before memory is allocated.
  const length = claimedLength(block);
  if (length > MAX_PLAIN_BYTES || length > MAX_SNAPPY_RATIO * block.length) {
    throw new FrameFault(`${block.length} bytes that claim to unpack to ${length}`);
  }
  let bytes: Buffer;
  try {
    // A copy: the garbage collector does not count memory of the library.
    bytes = uncompressSync(block, { asBuffer: true, copyOutputData: true }) as Buffer;
  } catch {
    throw new FrameFault("it is not a snappy block");
  }
  const { buffer, byteOffset, byteLength } = bytes;
  const own = byteOffset === 0 && buffer.byteLength === byteLength;
  return (own ? buffer : buffer.slice(byteOffset, byteOffset + byteLength)) as ArrayBuffer;
}

function open(job: FrameJob): Omit<FrameReply, "id"> {
  const block = decrypt(job);
  if (block === undefined) return { error: "it is not what was sealed", unsealed: true };
  const plain = decompress(block);
  if (!job.withPrefixes) return { plain };
  return { plain, prefixes: contentPrefixes(readObject(Buffer.from(plain)).content) };
}

port.on("message", (job: FrameJob) => {
  let reply: Omit<FrameReply, "id">;
  try {
    reply = open(job);
  } catch (error) {
    if (!(error instanceof FrameFault || error instanceof MsgpackError)) throw error;
    reply = { error: error.message };
  }
  const transfer = reply.plain === undefined ? [] : [reply.plain];
  port.postMessage({ id: job.id, ...reply } satisfies FrameReply, transfer);
});
