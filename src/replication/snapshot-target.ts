import type { BackupTarget, SealedOutput } from "../archive/backup-target.js";
import type { FileDigest, FileThread } from "../threads/file-thread.js";
import type { FileFacts } from "../archive/manifest/manifest.js";
import { PartMemory, PartSplitter } from "../snapstore/parts/part.js";
import { partSize } from "../snapstore/parts/part-size.js";
import { PartSender } from "../snapstore/parts/upload.js";
import type { Destination, SecondaryDestination } from "./destination.js";
import { finishSnapshot } from "../snapshots/finish.js";
import { Secondary, type SecondaryFile } from "./secondary.js";
import { requireStored } from "../snapshots/file-check.js";

export interface SnapshotTargetOptions {
  /** Its name, which is new in the primary; what the secondary has under it is never overwritten. */
  readonly snapshot: string;
  readonly primary: Destination;
  readonly secondary?: SecondaryDestination | undefined;
  /** A folder that gets the same files. */
  readonly folder?: BackupTarget | undefined;
  /** Hashes files where no folder does. */
  readonly thread: FileThread;
  /** The longest that an ARCHIVE file may become. */
  readonly expectedFileBytes: number;
  readonly signal: AbortSignal;
  /** How long a listing may be behind, ms; a minute by default. */
  readonly listingLateMs?: number | undefined;
  /** Called once, when the secondary is abandoned. */
  onSecondaryFailed(error: unknown): void;
}

/**
 * Writes a new backup to a store, and to a second one beside it: each file is sealed and hashed
 * once and sent to both in parts. The primary decides how fast it goes and whether it succeeds; the secondary
 * gets what it can take.
 */
export class SnapshotTarget implements BackupTarget {
  readonly #options: SnapshotTargetOptions;
  readonly #secondary: Secondary | undefined;
  readonly #memory = new PartMemory();
  readonly #open = new Set<DualOutput>();
  /** Files that the primary has. */
  readonly #files: FileFacts[] = [];

  constructor(options: SnapshotTargetOptions) {
    this.#options = options;
    const { secondary } = options;
    this.#secondary = secondary && new Secondary(secondary, options);
  }

  /** Whether the secondary has, or will have, everything. */
  get secondaryFailed(): boolean {
    return this.#secondary?.failed ?? false;
  }

  async open(name: string): Promise<SealedOutput> {
    const { snapshot, primary, folder, thread, signal } = this.#options;
    const key = `${snapshot}/${name}`;
    const partBytes = this.#partBytes();
    const { maxParallelChunks: parallel } = primary;
    // Nothing is begun by these two before something is written: no failure leaves a file behind.
    const first = new PartSender(primary.store, key, partBytes, {
      parallel,
      ifAbsent: true,
      signal,
    });
    const second = await this.#secondary?.open(key, partBytes);
    const local = folder === undefined ? await thread.open() : await folder.open(name);
    const output = new DualOutput(
      local,
      new PartSplitter(partBytes, this.#memory),
      first,
      second,
      async (digest) => {
        await requireStored(primary.store, key, digest, signal);
        this.#files.push({ name, ...digest });
        this.#open.delete(output);
      },
    );
    this.#open.add(output);
    return output;
  }

  async finish(manifest: string): Promise<void> {
    const { snapshot, primary, folder, signal, listingLateMs: lateMs } = this.#options;
    const bytes = Buffer.from(manifest);
    // The folder first: it is complete even when the primary fails now.
    await folder?.finish(manifest);
    await finishSnapshot(primary.store, snapshot, {
      files: this.#files,
      manifest: bytes,
      signal,
      lateMs,
    });
    await this.#secondary?.finish(bytes);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((output) => output.abandon()));
    await this.#secondary?.close();
    await this.#options.folder?.close();
  }

  /** One size for both stores, so that each part is cut and hashed once. */
  #partBytes(): number {
    const { primary, expectedFileBytes: expectedBytes } = this.#options;
    const partBytes = partSize(primary.store, { partBytes: primary.minChunkBytes, expectedBytes });
    const both = this.#secondary?.partBytes(partBytes) ?? partBytes;
    return partSize(primary.store, { partBytes: both, expectedBytes });
  }
}

/** One file that is sent to all of them. */
class DualOutput implements SealedOutput {
  readonly #local: SealedOutput;
  readonly #splitter: PartSplitter;
  readonly #primary: PartSender;
  readonly #secondary: SecondaryFile | undefined;
  readonly #onFinished: (digest: FileDigest) => Promise<void>;
  /** The sender takes one part after the other. */
  #sent: Promise<void> = Promise.resolve();

  constructor(
    local: SealedOutput,
    splitter: PartSplitter,
    primary: PartSender,
    secondary: SecondaryFile | undefined,
    onFinished: (digest: FileDigest) => Promise<void>,
  ) {
    this.#local = local;
    this.#splitter = splitter;
    this.#primary = primary;
    this.#secondary = secondary;
    this.#onFinished = onFinished;
  }

  async append(memory: SharedArrayBuffer, from: number, length: number): Promise<void> {
    const sent = this.#sent.then(() => this.#send(new Uint8Array(memory, from, length)));
    this.#sent = sent;
    await Promise.all([this.#local.append(memory, from, length), sent]);
  }

  async finish(): Promise<FileDigest> {
    await this.#sent;
    const digest = await this.#local.finish();
    const last = this.#splitter.last();
    last.retain();
    try {
      await this.#primary.finish(last, digest);
      await this.#onFinished(digest);
    } catch (error) {
      last.release();
      throw error;
    }
    this.#secondary?.finish(last, digest);
    return digest;
  }

  async abandon(): Promise<void> {
    await Promise.all([
      // Ends sends that wait for a store that hangs.
      this.#primary.abort().then(() => this.#sent.catch(() => {})),
      this.#secondary?.abort(),
      this.#local.abandon().catch(() => {}),
    ]);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    this.#primary.throwFailure();
    for (const part of this.#splitter.write(bytes)) {
      let room: Promise<void> | undefined;
      if (this.#secondary !== undefined) {
        part.retain();
        room = this.#secondary.offer(part);
      }
      await Promise.all([this.#primary.send(part), room]);
    }
  }
}
