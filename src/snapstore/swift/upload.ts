import { createHash } from "node:crypto";
import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { PartedUpload } from "../parts/parted-upload.js";
import type { UploadFacts, UploadOptions } from "../store.js";
import { newUploadId } from "../parts/upload-id.js";
import type { SwiftContainer } from "./container.js";
import { largeObjectType, PAGE, pageOf } from "./listing.js";
import { segmentName, segmentPrefix } from "./segment-names.js";
import { removeSegments } from "./segments.js";

interface Segment {
  readonly path: string;
  readonly etag: string;
  readonly size_bytes: number;
}

/** Refusals that come before Swift writes anything. */
const NOTHING_WRITTEN: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  "STORE_CREDENTIALS",
  "STORE_NOT_FOUND",
  "STORE_EXISTS",
]);

/** Segments that are objects of their own, and make one when a manifest names them. */
export class SwiftUpload extends PartedUpload<Segment> {
  readonly #container: SwiftContainer;
  readonly #id = newUploadId();
  /** Whether the object may exist, although no answer has said so. */
  #mayExist = false;

  constructor(container: SwiftContainer, key: string, options: UploadOptions) {
    super({ ...options, store: container.store, key }, "any-order");
    this.#container = container;
  }

  protected async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    const name = segmentName(this.#container.nameOf(this.key), this.#id, number);
    const etag = createHash("md5").update(bytes).digest("hex");
    // Nothing of an empty object needs a segment.
    if (bytes.length > 0) {
      const call = { method: "PUT", name, headers: { etag }, body: [bytes], signal };
      await (await this.#container.call(call)).drop();
    }
    return { path: `/${this.#container.name}/${name}`, etag, size_bytes: bytes.length };
  }

  protected async joinParts(
    receipts: readonly Segment[],
    facts: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const before = await this.#container.head(this.key, signal);
    // The answer to an earlier try may have been lost.
    if (before?.segments === this.#id) return;
    if (before !== undefined && this.ifAbsent) throw this.failure("exists already", "STORE_EXISTS");
    const segments = receipts.filter(({ size_bytes }) => size_bytes > 0);
    await this.#putManifest(segments, facts, signal);
    if (before?.segments !== undefined) await this.#remove(before.segments);
  }

  protected async discardParts(): Promise<void> {
    // HEAD says nothing of an object whose segments are missing: `abortStaleUploads` looks, later.
    if (this.sentParts > 0 && !this.#mayExist) await this.#remove(this.#id);
  }

  async #putManifest(
    segments: readonly Segment[],
    facts: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const name = this.#container.nameOf(this.key);
    const lists = segments.length > 0 && (await this.#container.segmentLists(signal));
    const prefix = segmentPrefix(name, this.#id);
    if (!lists && segments.length > 0) await this.#mustBeListed(prefix, segments.length, signal);
    const headers = {
      "content-type": largeObjectType(facts.size),
      "x-object-meta-sha256": facts.sha256,
      "x-object-meta-segments": this.#id,
      ...(this.ifAbsent && { "if-none-match": "*" }),
      ...(!lists &&
        segments.length > 0 && {
          "x-object-manifest": `${this.#container.name}/${prefix}`
            .split("/")
            .map(encodeURIComponent)
            .join("/"),
        }),
    };
    throwIfAborted(signal);
    // An abort that came meanwhile has removed the segments.
    this.requireOpen();
    const before = this.#mayExist;
    this.#mayExist = true;
    try {
      const answer = await this.#container.call({
        method: "PUT",
        name,
        headers,
        signal,
        ...(lists && {
          query: { "multipart-manifest": "put" },
          body: [Buffer.from(JSON.stringify(segments))],
        }),
      });
      await answer.drop();
    } catch (error) {
      // What an earlier try has left is as uncertain as before.
      if (error instanceof StoreError && NOTHING_WRITTEN.has(error.code)) this.#mayExist = before;
      throw error;
    }
  }

  /** A dynamic large object is whatever a listing has, and listings may be behind. */
  async #mustBeListed(
    prefix: string,
    count: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { entries } = await pageOf(this.#container, prefix, {
      marker: "",
      limit: PAGE,
      signal,
    });
    if (entries.length === count) return;
    throw this.failure(`${entries.length} of ${count} segments are listed yet`, "STORE_TRANSIENT");
  }

  /** What stays is removed with the other stale uploads. */
  async #remove(upload: string): Promise<void> {
    const prefix = segmentPrefix(this.#container.nameOf(this.key), upload);
    await removeSegments(this.#container, prefix, undefined).catch(() => {});
  }
}
