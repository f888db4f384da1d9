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

/** Errors after which Swift has written nothing. */
const NOT_WRITTEN: ReadonlySet<StoreErrorCode> = new Set<StoreErrorCode>([
  "STORE_CREDENTIALS",
  "STORE_NOT_FOUND",
  "STORE_EXISTS",
]);

/** A large object: segments, which are objects of their own, and a manifest. The receipt of a part is its segment. */
export class SwiftUpload extends PartedUpload<Segment> {
  readonly #container: SwiftContainer;
  readonly #id = newUploadId();
  /** Whether the object may exist although no response has confirmed it. */
  #mayExist = false;

  constructor(container: SwiftContainer, key: string, options: UploadOptions) {
    super({ ...options, store: container.store, key }, "any-order");
    this.#container = container;
  }

  protected async sendPart(number: number, bytes: Uint8Array, signal: AbortSignal | undefined) {
    const name = segmentName(this.#container.nameOf(this.key), this.#id, number);
    const etag = createHash("md5").update(bytes).digest("hex");
    // An empty object needs no segment.
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
    // An earlier attempt may have succeeded, and its response was lost.
    if (before?.segments === this.#id) return;
    if (before !== undefined && this.ifAbsent) throw this.failure("exists already", "STORE_EXISTS");
    const segments = receipts.filter(({ size_bytes }) => size_bytes > 0);
    await this.#putManifest(segments, facts, signal);
    if (before?.segments !== undefined) await this.#remove(before.segments);
  }

  protected async discardParts(): Promise<void> {
    // Otherwise `abortStaleUploads` removes the segments later, if the object does not exist.
    if (this.sentParts > 0 && !this.#mayExist) await this.#remove(this.#id);
  }

  async #putManifest(
    segments: readonly Segment[],
    facts: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const name = this.#container.nameOf(this.key);
    const lists = segments.length > 0 && (await this.#container.supportsSlo(signal));
    const prefix = segmentPrefix(name, this.#id);
    if (!lists && segments.length > 0) await this.#checkListed(prefix, segments.length, signal);
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
    // An abort in the meantime has removed the segments.
    this.checkOpen();
    const before = this.#mayExist;
    this.#mayExist = true;
    try {
      const response = await this.#container.call({
        method: "PUT",
        name,
        headers,
        signal,
        ...(lists && {
          query: { "multipart-manifest": "put" },
          body: [Buffer.from(JSON.stringify(segments))],
        }),
      });
      await response.drop();
    } catch (error) {
      // An earlier attempt may still have succeeded.
      if (error instanceof StoreError && NOT_WRITTEN.has(error.code)) this.#mayExist = before;
      throw error;
    }
  }

  /** A dynamic large object consists of the listed segments, and listings may be late. */
  async #checkListed(
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
    throw this.failure(
      `only ${entries.length} of ${count} segments are listed so far`,
      "STORE_TRANSIENT",
    );
  }

  /** Never throws: what is left is removed by `abortStaleUploads`. */
  async #remove(upload: string): Promise<void> {
    const prefix = segmentPrefix(this.#container.nameOf(this.key), upload);
    await removeSegments(this.#container, prefix, undefined).catch(() => {});
  }
}
