import type { FileThread } from "../archive/file-thread.js";
import type { FileFacts } from "../archive/manifest.js";
import { BackupToolError, throwIfAborted } from "../errors.js";
import { StoreError } from "../snapstore/errors.js";
import type { SnapStore, StoreUpload } from "../snapstore/store.js";
import type { Budget } from "./budget.js";
import { misfit } from "./stored-files.js";
import { StreamDigest } from "./stream-digest.js";

/** How files are sent. */
export interface CopyTools {
  readonly thread: FileThread;
  /** Bytes of parts in memory, of all files together. */
  readonly memory: Budget;
  /** Bytes of each part but the last, unless the store or the file's size asks for more. */
  readonly minChunkBytes: number;
  readonly maxParallelChunks: number;
  readonly signal: AbortSignal;
}

/** What came from the source, or what then stood in the target, was not what the manifest says. */
export class CopyMismatch extends BackupToolError {
  constructor(store: SnapStore, key: string, reason: string) {
    super("COPY_MISMATCH", `${store.name}: ${key}: ${reason}`, {
      hint: "see backuptool snapshot verify --read-data",
    });
  }
}

/**
 * Copies one file of a snapshot and holds both ends against the manifest. Nothing appears in the
 * target unless the bytes were right. Throws StoreError, COPY_MISMATCH, InterruptedError.
 *
 * @param replace something else stands there and is to be overwritten
 */
export async function copyFile(
  source: SnapStore,
  target: SnapStore,
  key: string,
  file: FileFacts,
  options: CopyTools & { readonly replace: boolean; onBytes(bytes: number): void },
): Promise<void> {
  const { signal } = options;
  const partBytes = partSize(target, key, file.size, options.minChunkBytes);
  const upload = await target.startUpload(key, { partBytes, ifAbsent: !options.replace, signal });
  const digest = await StreamDigest.start(options.thread);
  const parts = new PartSender(upload, partBytes, options, target.capabilities.parallelParts);
  try {
    let size = 0;
    for await (const piece of source.get(key, { signal })) {
      size += piece.length;
      if (size > file.size)
        throw new CopyMismatch(source, key, "it is longer than its manifest says");
      options.onBytes(piece.length);
      await Promise.all([digest.add(piece), parts.add(piece)]);
    }
    const count = await parts.end();
    const { sha256 } = await digest.finish();
    if (size !== file.size || sha256 !== file.sha256) {
      throw new CopyMismatch(source, key, "its bytes are not those of its manifest");
    }
    await upload.complete({ parts: count, size, sha256 }, signal);
  } catch (error) {
    await parts.settled();
    await Promise.all([upload.abort(), digest.abandon()]);
    throw error;
  }
  const reason = misfit(file, await target.head(key, signal));
  if (reason !== undefined) throw new CopyMismatch(target, key, `after it was copied, ${reason}`);
}

/** The smallest parts that fit: a file has at most so many. */
function partSize(target: SnapStore, key: string, size: number, least: number): number {
  const { minPartBytes, maxPartBytes, maxParts } = target.capabilities;
  const bytes = Math.max(least, minPartBytes, Math.ceil(size / maxParts));
  if (bytes <= maxPartBytes) return bytes;
  throw new StoreError("STORE_FAILED", `${key}: ${size} bytes are more than a file may have`, {
    store: target.name,
  });
}

/** Gathers pieces into parts and sends a few of them at the same time. */
class PartSender {
  readonly #upload: StoreUpload;
  readonly #partBytes: number;
  readonly #tools: CopyTools;
  readonly #window: number;
  readonly #sending = new Set<Promise<void>>();
  #part: { bytes: Uint8Array; filled: number } | undefined;
  #sent = 0;
  #failure: { error: unknown } | undefined;

  constructor(upload: StoreUpload, partBytes: number, tools: CopyTools, parallel: boolean) {
    this.#upload = upload;
    this.#partBytes = partBytes;
    this.#tools = tools;
    this.#window = parallel ? tools.maxParallelChunks : 1;
  }

  async add(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length; ) {
      const part = this.#part ?? (await this.#newPart());
      this.#part = part;
      const taken = piece.subarray(at, at + this.#partBytes - part.filled);
      part.bytes.set(taken, part.filled);
      part.filled += taken.length;
      at += taken.length;
      if (part.filled === this.#partBytes) await this.#send();
    }
  }

  /** Sends what is left; resolves with the number of parts once all have arrived. */
  async end(): Promise<number> {
    // Even an empty object has a part.
    if (this.#part === undefined && this.#sent === 0) this.#part = await this.#newPart();
    await this.#send();
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#sent;
  }

  /** Waits for what is under way, and gives back what nobody will send. Never throws. */
  async settled(): Promise<void> {
    if (this.#part !== undefined) this.#tools.memory.giveBack(this.#partBytes);
    this.#part = undefined;
    await Promise.all(this.#sending);
  }

  async #newPart(): Promise<{ bytes: Uint8Array; filled: number }> {
    const { memory, signal } = this.#tools;
    await memory.take(this.#partBytes);
    if (signal.aborted) memory.giveBack(this.#partBytes);
    throwIfAborted(signal);
    return { bytes: Buffer.allocUnsafeSlow(this.#partBytes), filled: 0 };
  }

  async #send(): Promise<void> {
    const part = this.#part;
    if (part === undefined) return;
    this.#part = undefined;
    const number = this.#sent++;
    const { memory, signal } = this.#tools;
    const sending = this.#upload
      .part(number, part.bytes.subarray(0, part.filled), signal)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        memory.giveBack(this.#partBytes);
        this.#sending.delete(sending);
      });
    this.#sending.add(sending);
    if (this.#sending.size >= this.#window) await Promise.race(this.#sending);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
