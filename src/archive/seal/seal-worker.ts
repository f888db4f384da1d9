import { parentPort } from "node:worker_threads";
import { loadZstd } from "../../native-addon.js";
import { type ChunkCipher, chunkCipher } from "../crypto/chunk-cipher.js";
import {
  NOT_ONE_FRAME,
  type OpenJob,
  type Piece,
  type SealJob,
  type SealPoolJob,
  type SealPoolReply,
} from "./seal-jobs.js";
import { FRAME_MAGIC, storedFrame } from "./stored-frame.js";

const port = parentPort;
if (port === null) throw new Error("seal-worker runs as a worker thread only");

const zstd = loadZstd();
const compressor = new zstd.CCtx();
const decompressor = new zstd.DCtx();
let scratch = Buffer.allocUnsafeSlow(0);
let level: number | undefined;

function scratchOf(bytes: number): Buffer {
  if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(bytes);
  return scratch;
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

/** Most large data is compressed or encrypted already; trying again took a tenth of the time of a backup. */
function isWorthCompressing(parts: readonly Uint8Array[], length: number): boolean {
  if (length < 4 * SAMPLES * SAMPLE_BYTES) return true;
  const room = scratchOf(2 * SAMPLE_BYTES);
  const step = Math.floor((length - SAMPLE_BYTES) / (SAMPLES - 1));
  let taken = 0;
  let shrunk = 0;
  setLevel(1);
  for (let i = 0; i < SAMPLES; i++) {
    const sample = sampleAt(parts, i * step);
    taken += sample.length;
    shrunk += compressor.compress2(room, sample);
  }
  return shrunk <= WORTH_WHILE * taken;
}

/** Up to a sample's length from `offset`; less at the end of a part. */
function sampleAt(parts: readonly Uint8Array[], offset: number): Uint8Array {
  let left = offset;
  for (const part of parts) {
    if (left < part.length) return part.subarray(left, left + SAMPLE_BYTES);
    left -= part.length;
  }
  return new Uint8Array(0);
}

/** The content of a chunk in order: what was copied into `plain`, and what stays where it is. */
function partsOf(job: SealJob): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const piece of job.pieces) {
    if (piece.to > at) parts.push(new Uint8Array(job.plain, at, piece.to - at));
    parts.push(viewOf(piece));
    at = piece.to + piece.length;
  }
  if (at < job.plainLength) parts.push(new Uint8Array(job.plain, at, job.plainLength - at));
  return parts;
}

function viewOf(piece: Piece): Uint8Array {
  return new Uint8Array(piece.memory, piece.from, piece.length);
}

function frameOf(job: SealJob): Uint8Array[] {
  const parts = partsOf(job);
  if (!isWorthCompressing(parts, job.plainLength)) return storedFrame(parts);
  const plain = Buffer.from(job.plain, 0, job.plainLength);
  for (const piece of job.pieces) plain.set(viewOf(piece), piece.to);
  const room = scratchOf(job.out.byteLength);
  setLevel(job.level);
  return [room.subarray(0, compressor.compress2(room, plain))];
}

function seal(cipher: ChunkCipher, job: SealJob): number {
  return cipher.seal(Buffer.from(job.out, job.outOffset), frameOf(job), job.nonce, job.key);
}

function isOneFrame(bytes: Buffer): boolean {
  if (bytes.length < 4 || bytes.readUInt32LE(0) !== FRAME_MAGIC) return false;
  return zstd.findFrameCompressedSize(bytes) === bytes.length;
}

function open(cipher: ChunkCipher, job: OpenJob): number {
  const compressed = scratchOf(job.sealedLength);
  const length = cipher.open(compressed, job.pieces.map(viewOf), job.nonce, job.key);
  const frame = compressed.subarray(0, length);
  // The decompressor would take several frames, and those that hold no content, for one content.
  if (!isOneFrame(frame)) throw new Error(NOT_ONE_FRAME);
  // The output is as long as the header's chunk size: a frame that holds more fails without growing it.
  return decompressor.decompress(Buffer.from(job.out), frame);
}

function answer(cipher: ChunkCipher, job: SealPoolJob): SealPoolReply {
  try {
    return { id: job.id, length: job.kind === "seal" ? seal(cipher, job) : open(cipher, job) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { id: job.id, length: 0, error: message };
  }
}

// No await at the top level: V8 aborts the whole process when a thread is ended while its module waits there.
// Messages wait in the port until it has a listener.
chunkCipher().then((cipher) =>
  port.on("message", (job: SealPoolJob) => port.postMessage(answer(cipher, job))),
);
