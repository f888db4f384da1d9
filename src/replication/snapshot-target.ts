import type { BackupTarget, SealedOutput } from "../archive/backup-target.js";
import type { FileDigest, FileThread } from "../threads/file-thread.js";
import type { FileFacts } from "../archive/manifest/manifest.js";
import { PartMemory, PartSplitter } from "../snapstore/parts/part.js";
import { partSize } from "../snapstore/parts/part-size.js";
import { PartSender } from "../snapstore/parts/upload.js";
import type { Destination, SecondaryDestination } from "./destination.js";
import { finishSnapshot } from "../snapshots/finish.js";
import { Secondary, type SecondaryFile } from "./secondary.js";
import { checkStored } from "../snapshots/file-check.js";

export interface SnapshotTargetOptions {
  /** Name of the snapshot, which must be new in the primary. Existing files of the secondary are not overwritten. */
  readonly snapshot: string;
  readonly primary: Destination;
  readonly secondary?: SecondaryDestination | undefined;
  /** A local folder that receives the same files. */
  readonly folder?: BackupTarget | undefined;
  /** Hashes the files if there is no folder. */
  readonly thread: FileThread;
  /** Maximum size of an ARCHIVE file, bytes. */
  readonly expectedFileBytes: number;
  readonly signal: AbortSignal;
  /** Maximum delay of a listing, ms; a minute by default. */
  readonly listingLateMs?: number | undefined;
  /** Called before the manifest makes the snapshot complete; throws to prevent that. */
  beforeManifest?(): Promise<void>;
  /** Called once, when the secondary is abandoned. */
  onSecondaryFailed(error: unknown): void;
}

/**
 * Writes a new backup to a primary and a secondary store. Each file is sealed and hashed once, and sent to both in
 * parts. The primary determines the speed and whether the backup succeeds. The secondary is abandoned if it falls
 * behind.
 */
export class SnapshotTarget implements BackupTarget {
  readonly #options: SnapshotTargetOptions;
  readonly #secondary: Secondary | undefined;
  readonly #memory = new PartMemory();
  readonly #open = new Set<ReplicatedOutput>();
  /** Files that the primary has. */
  readonly #files: FileFacts[] = [];

  constructor(options: SnapshotTargetOptions) {
    this.#options = options;
    const { secondary } = options;
    this.#secondary = secondary && new Secondary(secondary, options);
  }

  get secondaryFailed(): boolean {
    return this.#secondary?.failed ?? false;
  }

  async open(name: string): Promise<SealedOutput> {
    const { snapshot, primary, folder, thread, signal } = this.#options;
    const key = `${snapshot}/${name}`;
    const partBytes = this.#partBytes();
    const { maxParallelChunks: parallel } = primary;
    // The two senders start no upload before the first part, so a failure here leaves nothing behind.
    const first = new PartSender(primary.store, key, partBytes, {
      parallel,
      ifAbsent: true,
      signal,
    });
    const second = await this.#secondary?.open(key, partBytes);
    const local = folder === undefined ? await thread.open() : await folder.open(name);
    const output = new ReplicatedOutput(
      local,
      new PartSplitter(partBytes, this.#memory),
      first,
      second,
      async (digest) => {
        await checkStored(primary.store, key, digest, signal);
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
    // The folder first: it is complete even if the primary fails now.
    await folder?.finish(manifest);
    await this.#options.beforeManifest?.();
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

  /** One size for both stores, so that each part is split and hashed once. */
  #partBytes(): number {
    const { primary, expectedFileBytes: expectedBytes } = this.#options;
    const partBytes = partSize(primary.store, { partBytes: primary.minChunkBytes, expectedBytes });
    const both = this.#secondary?.partBytes(partBytes) ?? partBytes;
    return partSize(primary.store, { partBytes: both, expectedBytes });
  }
}

/** A file that is sent to both stores and the folder. */
class ReplicatedOutput implements SealedOutput {
  readonly #local: SealedOutput;
  readonly #splitter: PartSplitter;
  readonly #primary: PartSender;
  readonly #secondary: SecondaryFile | undefined;
  readonly #onFinished: (digest: FileDigest) => Promise<void>;
  /** Orders the calls of the sender. */
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
      // First, since it ends calls to a store that hangs.
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
