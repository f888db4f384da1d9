import { once } from "node:events";
import { EntryWriter } from "../../archive/tar/entry-writer.js";
import { throwIfAborted } from "../../errors.js";

/** Writes to a stream; waits while it is full. */
export async function writeTo(
  output: NodeJS.WritableStream,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<void> {
  if (output.write(bytes)) return;
  try {
    await once(output, "drain", { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}

/** Writes entries of the tar to a stream. */
export class TarOutput extends EntryWriter {
  readonly #output: NodeJS.WritableStream;
  readonly #signal: AbortSignal;
  #parts: Uint8Array[] = [];
  #position = 0;

  constructor(output: NodeJS.WritableStream, signal: AbortSignal) {
    super();
    this.#output = output;
    this.#signal = signal;
  }

  protected override append(bytes: Uint8Array): void {
    // A copy: the memory may be reused before the stream has written it.
    this.#parts.push(Buffer.from(bytes));
    this.#position += bytes.length;
  }

  protected override pad(bytes: number): void {
    const over = this.#position % bytes;
    if (over > 0) this.append(Buffer.alloc(bytes - over));
  }

  override async ready(): Promise<void> {
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length > 0) await writeTo(this.#output, Buffer.concat(parts), this.#signal);
  }
}
