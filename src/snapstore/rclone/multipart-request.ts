import { type ClientRequest, request } from "node:http";
import { InterruptedError, throwIfAborted } from "../../errors.js";
import { withDeadline } from "../../flow/deadline.js";
import { callError } from "../http/failure.js";
import { type RcloneDaemon, REMOTE } from "./daemon.js";
import { rcloneError } from "./failure.js";

/** Timeout for rclone to notice the end of a canceled request, milliseconds. */
const CANCEL_MS = 5000;
const BOUNDARY = "backuptool-0d5e9f6c1b7a4e2f";

/** Streams a file to rclone as multipart/form-data. If the connection ends early, rclone discards the file. */
export class MultipartRequest {
  readonly #request: ClientRequest;
  readonly #response: Promise<void>;
  readonly #daemon: RcloneDaemon;
  readonly #context: { readonly store: string; readonly key: string };

  private constructor(sent: ClientRequest, daemon: RcloneDaemon, key: string) {
    this.#request = sent;
    this.#daemon = daemon;
    const context = { store: daemon.store, key };
    this.#context = context;
    this.#response = new Promise((resolve, reject) => {
      sent.on("error", reject);
      sent.on("response", async (response) => {
        try {
          const pieces: Buffer[] = [];
          for await (const piece of response) pieces.push(piece);
          const text = Buffer.concat(pieces).toString();
          if (response.statusCode === 200) return resolve();
          reject(rcloneError(response.statusCode ?? 0, text, context));
        } catch (error) {
          reject(error);
        }
      });
    });
    // The next `write` or `finish` throws it.
    this.#response.catch(() => {});
  }

  /** @param folder where rclone creates the file `object` */
  static async start(daemon: RcloneDaemon, folder: string, key: string): Promise<MultipartRequest> {
    const { url, authorization } = await daemon.connect();
    const at = new URL(`${url}operations/uploadfile`);
    at.search = new URLSearchParams({ fs: REMOTE, remote: folder }).toString();
    const sent = request(at, {
      method: "POST",
      headers: { authorization, "content-type": `multipart/form-data; boundary=${BOUNDARY}` },
    });
    const started = new MultipartRequest(sent, daemon, key);
    sent.write(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="object"\r\ncontent-type: application/octet-stream\r\n\r\n`,
    );
    return started;
  }

  async write(bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const written = new Promise<void>((resolve, reject) => {
      this.#request.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    await this.#abortable(Promise.race([written, this.#response.then(() => written)]), signal);
  }

  async finish(signal?: AbortSignal): Promise<void> {
    this.#request.end(`\r\n--${BOUNDARY}--\r\n`);
    await this.#abortable(this.#response, signal);
  }

  /**
   * Ends the request early, and waits until rclone notices: otherwise it might write the file after its folder was
   * removed. Never throws.
   */
  async cancel(): Promise<void> {
    this.#request.end();
    await withDeadline(CANCEL_MS, undefined, () => this.#response).catch(() => {});
    this.#request.destroy();
  }

  async #abortable(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
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
