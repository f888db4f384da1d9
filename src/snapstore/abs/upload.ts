import { createHash } from "node:crypto";
import { PartedUpload } from "../parts/parted-upload.js";
import { newUploadId } from "../parts/upload-id.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import type { AbsContainer } from "./container.js";
import { isAbsError } from "./failure.js";
import { blockId, discardBlocks } from "./uncommitted-blocks.js";

/** Stages blocks in any order, and commits their list. The receipt of a part is its block id. */
export class AbsUpload extends PartedUpload<string> {
  readonly #container: AbsContainer;
  readonly #id = newUploadId();

  constructor(container: AbsContainer, key: string, options: UploadOptions) {
    super({ ...options, store: container.store, key }, "any-order");
    this.#container = container;
  }

  protected async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    // Azure rejects empty blocks. A blob without blocks is empty.
    if (bytes.length === 0) return "";
    const id = blockId(this.#id, number);
    const transactionalContentMD5 = createHash("md5").update(bytes).digest();
    await this.#container.call(this.key, signal, (options) =>
      this.#container
        .at(this.key)
        .stageBlock(id, bytes, bytes.length, { ...options, transactionalContentMD5 }),
    );
    return id;
  }

  protected async joinParts(
    ids: readonly string[],
    { sha256 }: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const blocks = ids.filter((id) => id !== "");
    const metadata = { sha256, upload: this.#id };
    const { ifAbsent } = this;
    try {
      await this.#container.write(this.key, { ifAbsent, signal }, ({ abortSignal, conditions }) =>
        this.#container.at(this.key).commitBlockList(blocks, { abortSignal, conditions, metadata }),
      );
    } catch (error) {
      // The blob exists. When it was stored, Azure also discarded the staged blocks.
      const taken = isAbsError(error, "BlobAlreadyExists", "ConditionNotMet", "InvalidBlockList");
      if (!taken || !ifAbsent) throw this.#container.failure(error, this.key, signal);
      const existing = await this.#container.head(this.key, signal);
      if (existing === undefined) throw this.#container.failure(error, this.key, signal);
      // An earlier attempt may have succeeded, and its response was lost.
      if (existing.upload !== this.#id) throw this.failure("exists already", "STORE_EXISTS");
    }
  }

  protected async discardParts(): Promise<void> {
    if (this.sentParts === 0) return;
    await discardBlocks(this.#container, this.key, (id) => id === this.#id, undefined);
  }
}
