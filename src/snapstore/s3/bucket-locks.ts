import { raceAbort } from "../../flow/race-abort.js";
import type { S3Bucket } from "./bucket.js";
import { lockOf } from "./describe.js";

/** A bucket may get object lock later. */
const KNOWN_MS = 60_000;
const CALL_MS = 30_000;

/** Whether objects of a bucket can be locked: asked once a minute, where each deletion would have to ask for its object. */
export class BucketLocks {
  readonly #bucket: S3Bucket;
  #asked: { readonly at: number; readonly answer: Promise<boolean> } | undefined;

  constructor(bucket: S3Bucket) {
    this.#bucket = bucket;
  }

  /** False only if the server says that the bucket has no object lock. */
  async mayExist(signal: AbortSignal | undefined): Promise<boolean> {
    const now = performance.now();
    if (this.#asked === undefined || now - this.#asked.at > KNOWN_MS) {
      this.#asked = { at: now, answer: this.#ask() };
    }
    // An aborted caller stops waiting; the shared call goes on.
    return await raceAbort(this.#asked.answer, signal);
  }

  async #ask(): Promise<boolean> {
    try {
      return (await lockOf(this.#bucket, AbortSignal.timeout(CALL_MS))).enabled;
    } catch {
      return true;
    }
  }
}
