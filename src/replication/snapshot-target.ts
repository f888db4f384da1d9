import type { BackupTarget, SealedOutput } from "../archive/backup-target.js";
import type { FileDigest, FileThread } from "../archive/file-thread.js";
import { StoreError } from "../snapstore/errors.js";
import { PartSplitter } from "../snapstore/part.js";
import { partSize } from "../snapstore/part-size.js";
import type { SnapStore } from "../snapstore/store.js";
import { PartSender } from "../snapstore/upload.js";
import type { Destination } from "./destination.js";
import { Secondary, type SecondaryFile } from "./secondary.js";
import { manifestKey } from "./snapshot-manifest.js";
import { misfit } from "./stored-files.js";

export interface SnapshotTargetOptions {
  /** Its name, which is new in both stores. */
  readonly snapshot: string;
  readonly primary: Destination;
  readonly secondary?: Destination | undefined;
  /** A folder that gets the same files. */
  readonly folder?: BackupTarget | undefined;
  /** Hashes what no folder does. */
  readonly thread: FileThread;
  /** So long may an ARCHIVE file become. */
  readonly expectedFileBytes: number;
  readonly signal: AbortSignal;
  /** Told once, when the secondary is given up. */
  onSecondaryFailed(error: unknown): void;
}

/**
 * A new backup on its way to a store, and to a second one beside it: each file is sealed and hashed
 * once and sent to both in parts. The primary decides how fast it goes and whether it succeeds; the secondary
 * gets what it can take.
 */
export class SnapshotTarget implements BackupTarget {
  readonly #options: SnapshotTargetOptions;
  readonly #secondary: Secondary | undefined;
  readonly #open = new Set<DualOutput>();

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
    const local = folder === undefined ? await thread.open() : await folder.open(name);
    const output = new DualOutput(
      local,
      new PartSplitter(partBytes),
      new PartSender(primary.store, key, partBytes, { parallel, ifAbsent: true, signal }),
      this.#secondary?.open(key, partBytes),
      async (digest) => {
        await this.#verify(primary.store, key, { name, ...digest });
        this.#open.delete(output);
      },
    );
    this.#open.add(output);
    return output;
  }

  async finish(manifest: string): Promise<void> {
    const { snapshot, primary, folder, signal } = this.#options;
    const bytes = Buffer.from(manifest);
    await folder?.finish(manifest);
    const key = manifestKey(snapshot);
    await primary.store.put(key, bytes, { ifAbsent: true, signal });
    await this.#secondary?.finish(key, bytes);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open].map((output) => output.abandon()));
    await this.#secondary?.close();
    await this.#options.folder?.close();
  }

  /** One size for both stores, so that each part is cut and hashed once. */
  #partBytes(): number {
    const { primary, secondary, expectedFileBytes: expectedBytes } = this.#options;
    const wanted = Math.max(primary.minChunkBytes, secondary?.minChunkBytes ?? 0);
    const ofPrimary = partSize(primary.store, { partBytes: wanted, expectedBytes });
    if (secondary === undefined) return ofPrimary;
    return partSize(secondary.store, { partBytes: ofPrimary, expectedBytes });
  }

  async #verify(store: SnapStore, key: string, file: FileDigest & { name: string }): Promise<void> {
    const reason = misfit(file, await store.head(key, this.#options.signal));
    if (reason === undefined) return;
    throw new StoreError("STORE_FAILED", `${key}: after it was sent, ${reason}`, {
      store: store.name,
    });
  }
}

/** One file on its way to everywhere. */
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
    await this.#sent.catch(() => {});
    await Promise.all([
      this.#primary.abort(),
      this.#secondary?.abort(),
      this.#local.abandon().catch(() => {}),
    ]);
  }

  async #send(bytes: Uint8Array): Promise<void> {
    this.#primary.throwFailure();
    for (const part of this.#splitter.write(bytes)) {
      if (this.#secondary !== undefined) {
        part.retain();
        this.#secondary.offer(part);
      }
      await this.#primary.send(part);
    }
  }
}
