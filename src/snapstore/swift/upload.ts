import { createHash } from "node:crypto";
import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import { SentParts } from "../parts/sent-parts.js";
import type { StoreUpload, UploadOptions } from "../store.js";
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
export class SwiftUpload implements StoreUpload {
  readonly #container: SwiftContainer;
  readonly #key: string;
  readonly #ifAbsent: boolean;
  readonly #id = newUploadId();
  readonly #sent: SentParts<Segment>;
  /** Whether the object may stand, although no answer has said so. */
  #mayStand = false;
  #state: "open" | "complete" | "aborted" = "open";

  constructor(container: SwiftContainer, key: string, options: UploadOptions) {
    this.#container = container;
    this.#key = key;
    this.#ifAbsent = options.ifAbsent ?? false;
    this.#sent = new SentParts(options.partBytes);
  }

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.#mustBeOpen();
    const name = segmentName(this.#container.nameOf(this.#key), this.#id, number);
    const etag = createHash("md5").update(bytes).digest("hex");
    const segment = { path: `/${this.#container.name}/${name}`, etag, size_bytes: bytes.length };
    // Nothing of an empty object needs a segment.
    if (bytes.length > 0) {
      const call = { method: "PUT", name, headers: { etag }, body: [bytes], signal };
      await (await this.#container.call(call)).drop();
    }
    this.#sent.set(number, bytes.length, segment);
  }

  async complete(
    facts: { parts: number; size: number; sha256: string },
    signal?: AbortSignal,
  ): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.#mustBeOpen();
    const receipts = this.#sent.receipts(facts);
    if (receipts === undefined) {
      const message = `${this.#key}: parts are missing or not whole`;
      throw this.#container.error("STORE_FAILED", message);
    }
    const before = await this.#container.head(this.#key, signal);
    // The answer to an earlier try may have been lost.
    if (before?.segments !== this.#id) {
      if (before !== undefined && this.#ifAbsent) {
        throw this.#container.error("STORE_EXISTS", `${this.#key}: exists already`);
      }
      const segments = receipts.filter(({ size_bytes }) => size_bytes > 0);
      await this.#putManifest(segments, facts, signal);
    }
    this.#state = "complete";
    if (before?.segments !== undefined && before.segments !== this.#id) {
      await this.#remove(before.segments);
    }
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    // Of an object that stands without its segments HEAD says nothing: `abortStaleUploads` looks, later.
    if (this.#sent.size > 0 && !this.#mayStand) await this.#remove(this.#id);
  }

  async #putManifest(
    segments: readonly Segment[],
    facts: { size: number; sha256: string },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const name = this.#container.nameOf(this.#key);
    const lists = segments.length > 0 && (await this.#container.segmentLists(signal));
    const prefix = segmentPrefix(name, this.#id);
    if (!lists && segments.length > 0) await this.#mustBeListed(prefix, segments.length, signal);
    const headers = {
      "content-type": largeObjectType(facts.size),
      "x-object-meta-sha256": facts.sha256,
      "x-object-meta-segments": this.#id,
      ...(this.#ifAbsent && { "if-none-match": "*" }),
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
    this.#mustBeOpen();
    const before = this.#mayStand;
    this.#mayStand = true;
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
      if (error instanceof StoreError && NOTHING_WRITTEN.has(error.code)) this.#mayStand = before;
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
    const message = `${this.#key}: ${entries.length} of ${count} segments are listed yet`;
    throw this.#container.error("STORE_TRANSIENT", message);
  }

  /** What stays is removed with the other stale uploads. */
  async #remove(upload: string): Promise<void> {
    const prefix = segmentPrefix(this.#container.nameOf(this.#key), upload);
    await removeSegments(this.#container, prefix, undefined).catch(() => {});
  }

  #mustBeOpen(): void {
    if (this.#state === "open") return;
    throw this.#container.error("STORE_FAILED", `${this.#key}: the upload is over`);
  }
}
