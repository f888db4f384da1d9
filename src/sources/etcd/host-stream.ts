import { type ClientDuplexStream, status } from "@grpc/grpc-js";
import { Waiters } from "../../flow/waiters.js";

/**
 * A call that is answered with a stream of messages. What is not taken stays on the network: gRPC buffers 16 messages,
 * and HTTP/2 a window of bytes.
 */
export class HostStream {
  readonly #call: ClientDuplexStream<Buffer, Buffer>;
  readonly #silenceMs: number | undefined;
  readonly #changes = new Waiters();
  #ended = false;
  #failure: Error | undefined;

  /** @param silenceMs longest wait for a message, ms; by default any */
  constructor(call: ClientDuplexStream<Buffer, Buffer>, silenceMs: number | undefined) {
    this.#call = call;
    this.#silenceMs = silenceMs;
    call.on("readable", () => this.#changes.wakeAll());
    call.on("end", () => {
      this.#ended = true;
      this.#changes.wakeAll();
    });
    call.on("error", (error) => this.#fail(error));
  }

  /** @param last whether no further request follows */
  send(request: Buffer, last: boolean): void {
    if (last) this.#call.end(request);
    else this.#call.write(request);
  }

  /** The next message; undefined at the end. Rejects with gRPC's own error. One caller at a time. */
  async next(): Promise<Buffer | undefined> {
    for (;;) {
      // Messages that came before a failure are complete.
      const message: unknown = this.#call.read();
      if (message instanceof Buffer) return message;
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#ended) return undefined;
      await this.#change();
    }
  }

  cancel(): void {
    this.#call.cancel();
  }

  async #change(): Promise<void> {
    const change = this.#changes.wait();
    if (this.#silenceMs === undefined) return await change;
    const timer = setTimeout(() => {
      this.#fail(
        Object.assign(new Error("no message in time"), { code: status.DEADLINE_EXCEEDED }),
      );
      this.cancel();
    }, this.#silenceMs);
    try {
      await change;
    } finally {
      clearTimeout(timer);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#changes.wakeAll();
  }
}
