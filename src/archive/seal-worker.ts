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

function setLevel(wanted: number): void {
  if (level === wanted) return;
  compressor.setParameter(zstd.CParameter.compressionLevel, wanted);
  level = wanted;
}

/** Spread over a chunk, these pieces tell whether it is worth compressing. */
const SAMPLES = 4;
const SAMPLE_BYTES = 16 << 10;
/** What a sample must shrink to. */
const WORTH_WHILE = 0.97;
/** zstd's fastest: it looks for matches so seldom that it costs little more than a copy. */
const NO_EFFORT = -50;

/** Most large data is compressed or encrypted already; trying again took a tenth of the time of a backup. */
function compress(room: Buffer, plain: Buffer, wanted: number): number {
  if (plain.length >= 4 * SAMPLES * SAMPLE_BYTES) {
    const step = Math.floor((plain.length - SAMPLE_BYTES) / (SAMPLES - 1));
    let shrunk = 0;
    setLevel(1);
    for (let i = 0; i < SAMPLES; i++) {
      const sample = plain.subarray(i * step, i * step + SAMPLE_BYTES);
      shrunk += compressor.compress2(room, sample);
    }
    setLevel(shrunk > WORTH_WHILE * SAMPLES * SAMPLE_BYTES ? NO_EFFORT : wanted);
  } else {
    setLevel(wanted);
  }
  return compressor.compress2(room, plain);
}

function seal(job: SealJob): number {
  const plain = Buffer.from(job.plain, 0, job.plainLength);
  gather(plain, job.pieces);
  const room = scratchOf(job.out.byteLength);
  const compressed = compress(room, plain, job.level);
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
