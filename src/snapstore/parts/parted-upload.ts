import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import type { StoreUpload, UploadFacts, UploadOptions } from "../store.js";

export interface PartedUploadOptions extends UploadOptions {
  readonly store: string;
  readonly key: string;
}

/**
 * The part of {@link StoreUpload}'s contract that all providers share: states, sent parts, repeated calls. A provider
 * starts its upload, and sends, joins and discards parts.
 *
 * @typeParam R receipt of a sent part, which the provider needs to join it
 */
export abstract class PartedUpload<R> implements StoreUpload {
  protected readonly key: string;
  protected readonly partBytes: number;
  protected readonly ifAbsent: boolean;
  readonly #store: string;
  /** Whether parts must be sent one at a time, in order. */
  readonly #inOrder: boolean;
  readonly #sent = new Map<number, { readonly length: number; readonly receipt: R }>();
  #state: "open" | "complete" | "aborted" = "open";
  #broken: StoreError | undefined;

  constructor(
    { store, key, partBytes, ifAbsent = false }: PartedUploadOptions,
    order: "any-order" | "in-order",
  ) {
    this.#store = store;
    this.key = key;
    this.partBytes = partBytes;
    this.ifAbsent = ifAbsent;
    this.#inOrder = order === "in-order";
  }

  /** Sends a part of at most `partBytes`. The store verifies its bytes. */
  protected abstract sendPart(
    number: number,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<R>;

  /** Makes the object appear once all parts are sent. An earlier call may have succeeded and its response been lost. */
  protected abstract joinParts(
    receipts: readonly R[],
    facts: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void>;

  /** Removes the parts. It may fail: what is left is removed by `abortStaleUploads`. */
  protected abstract discardParts(): Promise<void>;

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.checkOpen();
    if (this.#inOrder && number < this.#sent.size) return;
    const gap = this.#inOrder && (number > this.#sent.size || this.#isShort(number - 1));
    if (gap || bytes.length > this.partBytes) {
      throw this.failure(`part ${number} is out of order or too long`);
    }
    const receipt = await this.sendPart(number, bytes, signal);
    this.#sent.set(number, { length: bytes.length, receipt });
  }

  async complete(facts: UploadFacts, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.checkOpen();
    await this.joinParts(this.#receipts(facts), facts, signal);
    this.#state = "complete";
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    await this.discardParts().catch(() => {});
  }

  protected get sentParts(): number {
    return this.#sent.size;
  }

  /** Throws once the upload is complete, aborted or broken. */
  protected checkOpen(): void {
    if (this.#state !== "open") throw this.failure("the upload has ended");
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Makes every further call but `abort` throw `error`: the upload must start again. */
  protected break(error: StoreError): StoreError {
    this.#broken ??= error;
    return this.#broken;
  }

  protected failure(
    what: string,
    code: StoreErrorCode = "STORE_FAILED",
    cause?: unknown,
  ): StoreError {
    return new StoreError(code, `${this.key}: ${what}`, { store: this.#store, cause });
  }

  #isShort(number: number): boolean {
    const part = this.#sent.get(number);
    return part !== undefined && part.length < this.partBytes;
  }

  /** In the order of the parts, of which only the last may be short. */
  #receipts({ parts, size }: UploadFacts): R[] {
    const receipts: R[] = [];
    for (let number = 0; number < parts; number++) {
      const part = this.#sent.get(number);
      const length = Math.min(this.partBytes, size - number * this.partBytes);
      if (part?.length !== length) throw this.failure(`part ${number} is missing or incomplete`);
      receipts.push(part.receipt);
    }
    if (size > parts * this.partBytes || parts !== this.#sent.size) {
      throw this.failure("the parts do not make the object");
    }
    return receipts;
  }
}
