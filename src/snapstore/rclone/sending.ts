import { type ClientRequest, request } from "node:http";
import { InterruptedError, throwIfAborted } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import { callError } from "../http/failure.js";
import { type RcloneDaemon, REMOTE } from "./daemon.js";
import { rcloneError } from "./failure.js";

/** Longest wait for rclone to take note of an end, milliseconds. */
const CANCEL_MS = 5000;
const BOUNDARY = "backuptool-0d5e9f6c1b7a4e2f";

/** A file that is sent to rclone piece by piece. A connection that ends early makes no whole file. */
export class Sending {
  readonly #request: ClientRequest;
  readonly #answer: Promise<void>;
  readonly #daemon: RcloneDaemon;
  readonly #context: { readonly store: string; readonly key: string };

  private constructor(sent: ClientRequest, daemon: RcloneDaemon, key: string) {
    this.#request = sent;
    this.#daemon = daemon;
    const context = { store: daemon.store, key };
    this.#context = context;
    this.#answer = new Promise((resolve, reject) => {
      sent.on("error", reject);
      sent.on("response", async (response) => {
        try {
          const pieces: Buffer[] = [];
          for await (const piece of response) pieces.push(piece);
          const text = Buffer.concat(pieces).toString();
          if (response.statusCode === 200) return resolve();
          const words = String(JSON.parse(text).error);
          reject(rcloneError(response.statusCode ?? 0, words, context));
        } catch (error) {
          reject(error);
        }
      });
    });
    // Looked at when the next piece goes, or at the end.
    this.#answer.catch(() => {});
  }

  /** @param folder where the file `object` is to be */
  static async start(daemon: RcloneDaemon, folder: string, key: string): Promise<Sending> {
    const { url, authorization } = await daemon.at();
    const at = new URL(`${url}operations/uploadfile`);
    at.search = new URLSearchParams({ fs: REMOTE, remote: folder }).toString();
    const sent = request(at, {
      method: "POST",
      headers: { authorization, "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
    });
    const sending = new Sending(sent, daemon, key);
    sent.write(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="object"\r\ncontent-type: application/octet-stream\r\n\r\n`,
    );
    return sending;
  }

  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const gone = new Promise<void>((resolve, reject) => {
      this.#request.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    await this.#unlessOver(Promise.race([gone, this.#answer.then(() => gone)]), signal);
  }

  async finish(signal?: AbortSignal): Promise<void> {
    this.#request.end(`\r\n--${BOUNDARY}--\r\n`);
    await this.#unlessOver(this.#answer, signal);
  }

  /**
   * Ends it in the middle, and waits for rclone to have taken note: else it might write what it has
   * after its place was cleared. Never throws.
   */
  async cancel(): Promise<void> {
    this.#request.end();
    await withDeadline(CANCEL_MS, undefined, () => this.#answer).catch(() => {});
    this.#request.destroy();
  }

  async #unlessOver(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    throwIfAborted(signal);
    const interrupt = () => this.#request.destroy(new InterruptedError());
    signal?.addEventListener("abort", interrupt, { once: true });
    try {
      await work;
    } catch (error) {
      throw await this.#daemon.explained(callError(error, { ...this.#context, signal }));
    } finally {
      signal?.removeEventListener("abort", interrupt);
    }
  }
}
