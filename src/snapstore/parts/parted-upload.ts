import { throwIfAborted } from "../../errors.js";
import { StoreError, type StoreErrorCode } from "../errors.js";
import type { StoreUpload, UploadFacts, UploadOptions } from "../store.js";

export interface PartedUploadOptions extends UploadOptions {
  readonly store: string;
  readonly key: string;
}

/**
 * The part of {@link StoreUpload}'s contract that is the same in every provider: its states, which parts have arrived,
 * repeated calls. A provider begins its upload, and then sends, joins and discards parts.
 *
 * @typeParam R what the provider needs to know of a sent part to join it
 */
export abstract class PartedUpload<R> implements StoreUpload {
  protected readonly key: string;
  protected readonly partBytes: number;
  protected readonly ifAbsent: boolean;
  readonly #store: string;
  /** Whether the provider takes parts one after the other alone. */
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

  /** Sends a part, of `partBytes` or less, and has the store check its bytes. */
  protected abstract sendPart(
    number: number,
    bytes: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<R>;

  /** Makes the object appear. All parts are sent; an earlier call may have succeeded and its answer been lost. */
  protected abstract joinParts(
    receipts: readonly R[],
    facts: UploadFacts,
    signal: AbortSignal | undefined,
  ): Promise<void>;

  /** Removes what was sent. It may fail: what is left is aborted with the stale uploads. */
  protected abstract discardParts(): Promise<void>;

  async part(number: number, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    this.requireOpen();
    if (this.#inOrder && number < this.#sent.size) return;
    const gap = this.#inOrder && (number > this.#sent.size || this.#isShort(number - 1));
    if (gap || bytes.length > this.partBytes) {
      throw this.failure(`part ${number} is out of turn, or too long`);
    }
    const receipt = await this.sendPart(number, bytes, signal);
    this.#sent.set(number, { length: bytes.length, receipt });
  }

  async complete(facts: UploadFacts, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal);
    if (this.#state === "complete") return;
    this.requireOpen();
    await this.joinParts(this.#receipts(facts), facts, signal);
    this.#state = "complete";
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    await this.discardParts().catch(() => {});
  }

  /** How many parts have arrived. */
  protected get sentParts(): number {
    return this.#sent.size;
  }

  /** Throws once the upload is complete, aborted or broken. */
  protected requireOpen(): void {
    if (this.#state !== "open") throw this.failure("the upload is over");
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Makes every further call but `abort` throw `error`: the upload must begin anew. */
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
      if (part?.length !== length) throw this.failure(`part ${number} is missing or not whole`);
      receipts.push(part.receipt);
    }
    if (size > parts * this.partBytes || parts !== this.#sent.size) {
      throw this.failure("the parts do not make the object");
    }
    return receipts;
  }
}
