import { damaged } from "../../archive/errors.js";
import { MANIFEST_NAME, MAX_HEADER_BYTES } from "../../archive/format.js";
import { BackupToolError } from "../../errors.js";
import { inParallel } from "../../flow/in-parallel.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import { selectFiles } from "../read-selection.js";
import { type VerifyOptions, type VerifyResult, verifySnapshot } from "../verify.js";
import { deltaHeader } from "./delta-header.js";
import { type DeltaName, deltaName, parseDeltaName } from "./delta-name.js";
import { ChunkFrames } from "./chunk-frames.js";
import type { StoredStream } from "./stored-stream.js";

/** Deltas read concurrently. */
const WINDOW = 8;

/**
 * Checks a stream as far as that goes without the passphrase: that no delta is missing before the last one, that the base is
 * as its manifest says, and of the selected deltas that each has the header of its number and stream, and is of whole
 * sealed chunks. Throws StoreError.
 */
export async function verifyStream(
  store: SnapStore,
  stream: StoredStream,
  options: VerifyOptions & {
    /** Whether a copy may be under way: what is missing is no damage then. */
    readonly mayGrow?: boolean;
  },
): Promise<VerifyResult> {
  const { signal, onDamage, selection, mayGrow = false } = options;
  let damages = 0;
  const damage = (file: string, reason: string): void => {
    damages++;
    onDamage({ file, reason });
  };
  const { name, deltas, base, problem } = stream;
  if (problem !== undefined) damage(name.text, problem);
  if (!mayGrow) for (const reason of gapsOf(stream)) damage(name.text, reason);
  let result = { files: 0, bytes: 0, filesRead: 0, bytesRead: 0 };
  if (base?.state === "unfinished") {
    if (!mayGrow) damage(MANIFEST_NAME, "the base in the folder is unfinished");
  } else if (base !== undefined) {
    const ofBase = await verifySnapshot(store, name.text, options);
    damages += ofBase.damaged;
    result = ofBase;
  }
  const files = [...deltas].map((delta) => {
    return { name: deltaName(delta), size: delta.bytes, sha256: "" };
  });
  const chosen = selectFiles(files, selection);
  const total = chosen.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  await inParallel(chosen, WINDOW, async ({ name: file, size }) => {
    const delta = parseDeltaName(file);
    const reason = delta && (await deltaMismatch(store, stream, delta, size, signal));
    if (reason !== undefined) damage(file, reason);
    done += size;
    options.onProgress(done, total);
  });
  return {
    files: result.files + deltas.length,
    bytes: result.bytes + deltas.bytes,
    filesRead: result.filesRead + chosen.length,
    bytesRead: result.bytesRead + total,
    damaged: damages,
  };
}

function* gapsOf({ gaps }: StoredStream): Generator<string, void, void> {
  for (const { deltas, revisions } of gaps) {
    if (revisions === undefined) continue;
    const { first, last } = revisions;
    yield `it lacks ${deltas === 0 ? "deltas" : `${deltas} deltas`} with the revisions ${first} to ${last}`;
  }
}

/** Why a file is not the delta that its name says; undefined if nothing contradicts it. */
async function deltaMismatch(
  store: SnapStore,
  { name }: StoredStream,
  delta: DeltaName,
  size: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const file = deltaName(delta);
  let start: Buffer = Buffer.alloc(0);
  let frames: ChunkFrames | undefined;
  let read = 0;
  /** Takes the header off the first bytes. */
  const begin = (): void => {
    const header = deltaHeader(start, name, delta);
    frames = new ChunkFrames(header.chunkBytes, file);
    frames.push(start.subarray(header.length));
  };
  try {
    for await (const piece of store.get(`${name.text}/${file}`, { signal })) {
      read += piece.length;
      if (read > size) throw damaged("it is longer than listed", { file });
      if (frames !== undefined) frames.push(piece);
      else {
        start = Buffer.concat([start, piece]);
        if (start.length >= MAX_HEADER_BYTES) begin();
      }
    }
    if (frames === undefined) begin();
    frames?.end();
    return read === size ? undefined : `it has ${read} bytes, not the ${size} that are listed`;
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return "it is not there";
    if (error instanceof BackupToolError && error.code === "DAMAGED") return error.message;
    throw error;
  }
}
