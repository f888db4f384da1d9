import { throwIfAborted } from "../../errors.js";
import { damaged } from "../errors.js";
import { WorkerCalls } from "../../threads/worker-calls.js";
import { FrameType } from "./format.js";
import type { ContentPrefix, FrameJob, FrameReply } from "./frame-jobs.js";
import type { Frame, FrameFile } from "./frames.js";

const THREADS = 2;
/** Most frames that are opened ahead of the consumer, and their sealed bytes. */
const AHEAD_FRAMES = 64;
const AHEAD_BYTES = 16 << 20;

/** A frame that was opened. */
export interface OpenedFrame {
  readonly frame: Frame;
  readonly plain: Buffer;
  /** Of an object, with `withPrefixes`. */
  readonly prefixes: readonly ContentPrefix[];
}

/** Threads that decrypt and decompress frames. */
export class FrameOpener {
  readonly #workers: readonly WorkerCalls<FrameJob, FrameReply>[];
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    const script = new URL("./frame-worker.js", import.meta.url);
    this.#workers = Array.from({ length: THREADS }, () => new WorkerCalls(script, "frame worker"));
    this.#key = key;
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.close()));
  }

  /** The frames of a file in order, opened ahead. Throws DAMAGED. */
  async *open(
    file: FrameFile,
    options: { withPrefixes?: boolean; signal?: AbortSignal | undefined } = {},
  ): AsyncGenerator<OpenedFrame> {
    const pending: { frame: Frame; opened: Promise<OpenedFrame> }[] = [];
    let bytes = 0;
    try {
      for await (const frame of file.frames()) {
        throwIfAborted(options.signal);
        while (
          pending.length > 0 &&
          (pending.length >= AHEAD_FRAMES || bytes + frame.length > AHEAD_BYTES)
        ) {
          const next = pending.shift();
          if (next === undefined) break;
          yield await next.opened;
          bytes -= next.frame.length;
        }
        const opened = this.#open(file, frame, options.withPrefixes === true);
        // It is awaited in its turn.
        opened.catch(() => {});
        pending.push({ frame, opened });
        bytes += frame.length;
      }
      for (const { opened } of pending.splice(0)) yield await opened;
    } finally {
      await Promise.allSettled(pending.map(({ opened }) => opened));
    }
  }

  /** Whether the key opens the first frame of a file. */
  async opensFirst(file: FrameFile): Promise<boolean> {
    for await (const frame of file.frames())
      return !(await this.#call(file, frame, false)).unsealed;
    return false;
  }

  /** The content of one frame. Throws DAMAGED. */
  async plain(file: FrameFile, frame: Frame): Promise<Buffer> {
    return (await this.#open(file, frame, false)).plain;
  }

  async #open(file: FrameFile, frame: Frame, withPrefixes: boolean): Promise<OpenedFrame> {
    const { plain, prefixes, error } = await this.#call(file, frame, withPrefixes);
    if (plain === undefined) {
      throw damaged(error ?? "it cannot be read", { file: file.name, chunk: frame.number });
    }
    return { frame, plain: Buffer.from(plain), prefixes: prefixes ?? [] };
  }

  async #call(file: FrameFile, frame: Frame, withPrefixes: boolean): Promise<FrameReply> {
    const sealed = await file.sealed(frame);
    const worker = this.#workers[frame.number % this.#workers.length];
    if (worker === undefined) throw new Error("a frame opener without threads");
    const { nonce, type } = frame;
    const job = {
      sealed,
      nonce,
      key: this.#key,
      withPrefixes: withPrefixes && type === FrameType.object,
    };
    return worker.call(job, [sealed]);
  }
}
