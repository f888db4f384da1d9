import { PassThrough } from "node:stream";

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** Input beyond the last question. */
const leftover = new WeakMap<NodeJS.ReadStream, Buffer>();

/**
 * Lines that are typed on a terminal, one for each question. A prompt reads all of its input, so a second line that is
 * pasted with the first would be lost. From `open` to `close` the terminal echoes nothing.
 */
export class TypedLines {
  readonly #stdin: NodeJS.ReadStream;
  #waiting: Buffer;
  #question: PassThrough | undefined;
  #ended = false;
  /** The last line ended with a carriage return: a line feed after it belongs to that line. */
  #afterReturn = false;

  private constructor(stdin: NodeJS.ReadStream, waiting: Buffer) {
    this.#stdin = stdin;
    this.#waiting = waiting;
  }

  /** @param keep whether a line that was typed before the question answers it */
  static open(stdin: NodeJS.ReadStream, keep: boolean): TypedLines {
    const lines = new TypedLines(stdin, (keep && leftover.get(stdin)) || Buffer.alloc(0));
    leftover.delete(stdin);
    stdin.setRawMode(true);
    stdin.on("data", lines.#take).on("end", lines.#end).on("error", lines.#end);
    stdin.resume();
    return lines;
  }

  /**
   * The input of the next question: one line.
   *
   * @param closed called when the prompt stops reading: after its answer, Ctrl-D or the end of the input
   */
  next(closed: () => void): NodeJS.ReadableStream {
    const question = new PassThrough();
    // By then a prompt with an answer has settled.
    question.once("pause", () => setImmediate(closed));
    // Readline leaves raw mode when it closes, and while the process is stopped by Ctrl-Z.
    const setRawMode = (raw: boolean): void => {
      if (!question.isPaused()) this.#stdin.setRawMode(raw);
    };
    this.#question = question;
    this.#deliver();
    if (this.#ended) question.end();
    return Object.assign(question, { setRawMode });
  }

  close(): void {
    const stdin = this.#stdin;
    stdin.off("data", this.#take).off("end", this.#end).off("error", this.#end);
    stdin.pause();
    if (!this.#ended) stdin.setRawMode(false);
    leftover.set(stdin, this.#waiting);
  }

  #take = (bytes: Buffer): void => {
    this.#waiting = Buffer.concat([this.#waiting, bytes]);
    this.#deliver();
  };

  #end = (): void => {
    this.#ended = true;
    this.#question?.end();
  };

  #deliver(): void {
    if (this.#afterReturn && this.#waiting.length > 0) {
      if (this.#waiting[0] === LINE_FEED) this.#waiting = this.#waiting.subarray(1);
      this.#afterReturn = false;
    }
    if (this.#question === undefined) return;
    const end = this.#waiting.findIndex((byte) => byte === CARRIAGE_RETURN || byte === LINE_FEED);
    const length = end < 0 ? this.#waiting.length : end + 1;
    const line = this.#waiting.subarray(0, length);
    this.#waiting = this.#waiting.subarray(length);
    if (length > 0) this.#question.write(line);
    if (end < 0) return;
    this.#question = undefined;
    this.#afterReturn = line.at(-1) === CARRIAGE_RETURN;
    this.#deliver();
  }
}
