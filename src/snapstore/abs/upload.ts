import { createHash } from "node:crypto";
import { throwIfAborted } from "../../errors.js";
import { SentParts } from "../parts/sent-parts.js";
import type { StoreUpload, UploadOptions } from "../store.js";
import { newUploadId } from "../parts/upload-id.js";
import type { AbsBlobs } from "./blobs.js";
import { isAbsRefusal } from "./failure.js";
import { blockId, discardBlocks } from "./uncommitted.js";

/** Blocks that are staged in any order, and make the blob when their list is committed. */
export class AbsUpload implements StoreUpload {
  readonly #blobs: AbsBlobs;
  readonly #key: string;
  readonly #ifAbsent: boolean;
  readonly #id = newUploadId();
  readonly #sent: SentParts<string>;
  #state: "open" | "complete" | "aborted" = "open";

  constructor(blobs: AbsBlobs, key: string, options: UploadOptions) {
    this.#blobs = blobs;
    this.#key = key;
    this.#ifAbsent = options.ifAbsent ?? false;
    this.#sent = new SentParts(options.partBytes);
  }

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#mustBeOpen();
    // Azure has no empty blocks, and a blob without blocks is empty.
    if (bytes.length === 0) return this.#sent.set(number, 0, "");
    const id = blockId(this.#id, number);
    const transactionalContentMD5 = createHash("md5").update(bytes).digest();
    await this.#blobs.call(this.#key, signal, (options) =>
      this.#blobs
        .at(this.#key)
        .stageBlock(id, bytes, bytes.length, { ...options, transactionalContentMD5 }),
    );
    this.#sent.set(number, bytes.length, id);
  }

  async complete(
    facts: { parts: number; size: number; sha256: string },
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.#mustBeOpen();
    const ids = this.#sent.receipts(facts);
    if (ids === undefined) {
      throw this.#blobs.error("STORE_FAILED", `${this.#key}: parts are missing or not whole`);
    }
    try {
      const how = { ifAbsent: this.#ifAbsent, signal };
      await this.#blobs.write(this.#key, how, ({ abortSignal, conditions }) =>
        this.#blobs.at(this.#key).commitBlockList(
          ids.filter((id) => id !== ""),
          { abortSignal, conditions, metadata: { sha256: facts.sha256, upload: this.#id } },
        ),
      );
    } catch (error) {
      // Something stands there; a blob that is put makes Azure forget the blocks, too.
      const taken = isAbsRefusal(error, "BlobAlreadyExists", "ConditionNotMet", "InvalidBlockList");
      if (!taken || !this.#ifAbsent) throw this.#blobs.failure(error, this.#key, signal);
      const there = await this.#blobs.head(this.#key, signal);
      // The answer to an earlier try may have been lost.
      if (there?.upload !== this.#id) {
        if (there === undefined) throw this.#blobs.failure(error, this.#key, signal);
        throw this.#blobs.error("STORE_EXISTS", `${this.#key}: exists already`);
      }
    }
    this.#state = "complete";
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    if (this.#sent.size === 0) return;
    // What stays is removed with the other stale uploads, or by Azure after a week.
    await discardBlocks(this.#blobs, this.#key, (id) => id === this.#id, undefined).catch(() => {});
  }

  #mustBeOpen(): void {
    if (this.#state === "open") return;
    throw this.#blobs.error("STORE_FAILED", `${this.#key}: the upload is over`);
  }
}
