import { parentPort } from "node:worker_threads";
import zstd from "zstd-napi/binding.js";
import { chunkCipher } from "./chunk-cipher.js";
import type { OpenJob, Piece, SealJob, SealPoolJob, SealPoolReply } from "./seal-jobs.js";

const port = parentPort;
if (port === null) throw new Error("seal-worker runs as a worker thread only");

const cipher = await chunkCipher();
const compressor = new zstd.CCtx();
const decompressor = new zstd.DCtx();
let scratch = Buffer.allocUnsafeSlow(0);
let level: number | undefined;

function scratchOf(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return scratch;
}

function gather(target: Uint8Array, pieces: readonly Piece[]): void {
  for (const piece of pieces) {
    target.set(new Uint8Array(piece.memory, piece.from, piece.length), piece.to);
  }
}

function seal(job: SealJob): number {
  const plain = Buffer.from(job.plain, 0, job.plainLength);
  gather(plain, job.pieces);
  if (level !== job.level) {
    compressor.setParameter(zstd.CParameter.compressionLevel, job.level);
    level = job.level;
  }
  const room = scratchOf(job.out.byteLength);
  const compressed = compressor.compress2(room, plain);
  return cipher.seal(
    Buffer.from(job.out, job.outOffset),
    room.subarray(0, compressed),
    job.nonce,
    job.key,
  );
}

function open(job: OpenJob): number {
  const room = scratchOf(2 * job.sealedLength);
  let sealed: Buffer;
  const only = job.pieces.length === 1 ? job.pieces[0] : undefined;
  if (only !== undefined) {
    sealed = Buffer.from(only.memory, only.from, only.length);
  } else {
    sealed = room.subarray(0, job.sealedLength);
    gather(sealed, job.pieces);
  }
  const compressed = room.subarray(job.sealedLength);
  const length = cipher.open(compressed, sealed, job.nonce, job.key);
  // The output is as long as the header's chunk size: a frame that holds more fails without growing it.
  return decompressor.decompress(Buffer.from(job.out), compressed.subarray(0, length));
}

port.on("message", (job: SealPoolJob) => {
  let reply: SealPoolReply;
  try {
    reply = { id: job.id, length: job.kind === "seal" ? seal(job) : open(job) };
  } catch (error) {
    reply = {
      id: job.id,
      length: 0,
      error: error instanceof Error ? error.message : String(error),
    };
  }
  port.postMessage(reply);
});
