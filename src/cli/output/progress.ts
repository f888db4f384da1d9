import type { SingleBar } from "cli-progress";
import type { OperationEvent } from "../../operations/events.js";
import { formatSize } from "../../size-text.js";

type Progress = Extract<OperationEvent, { type: "progress" }>;

/** Operations that end sooner show nothing, ms. */
const FIRST_AFTER_MS = 1500;
const LINE_EVERY_MS = 5000;

/** Shows how far an operation is: a bar on a terminal, a line every few seconds in a pipe. */
export class ProgressView {
  readonly #stream: NodeJS.WriteStream;
  readonly #started = performance.now();
  #phase = "";
  #phaseStarted = 0;
  #lastLine = 0;
  /** The class, loaded when the first bar is to be drawn: a pipe needs none. */
  #Bar: typeof SingleBar | undefined;
  #bar: SingleBar | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
  }

  update(progress: Progress): void {
    const now = performance.now();
    if (progress.phase !== this.#phase) {
      this.hide();
      this.#phase = progress.phase;
      this.#phaseStarted = now;
    }
    if (now - this.#started < FIRST_AFTER_MS) return;
    if (this.#stream.isTTY) {
      if (this.#Bar === undefined) void this.#loadBar();
      else this.#draw(this.#Bar, progress, now);
    } else if (now - this.#lastLine >= LINE_EVERY_MS) {
      this.#lastLine = now;
      this.#stream.write(`${this.#text(progress, now)}\n`);
    }
  }

  /** Removes the bar, for other lines or for good. */
  hide(): void {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  async #loadBar(): Promise<void> {
    this.#Bar = (await import("cli-progress")).SingleBar;
  }

  #draw(Bar: typeof SingleBar, progress: Progress, now: number): void {
    const total = progress.total ?? 0;
    const left = total > 0 ? "[{bar}] {percentage}% " : "";
    if (this.#bar === undefined) {
      this.#bar = new Bar({
        format: `${left}{text}`,
        stream: this.#stream,
        clearOnComplete: true,
        hideCursor: false,
        fps: 5,
        barsize: 24,
        barCompleteChar: "=",
        barIncompleteChar: " ",
        gracefulExit: false,
      });
      this.#bar.start(Math.max(1, total), 0, { text: "" });
    }
    this.#bar.setTotal(Math.max(1, total));
    this.#bar.update(Math.min(progress.done, Math.max(1, total)), {
      text: this.#text(progress, now),
    });
  }

  #text({ phase, done, total, unit, bytes }: Progress, now: number): string {
    const seconds = Math.max(0.001, (now - this.#phaseStarted) / 1000);
    const rate = done / seconds;
    const show = (value: number): string =>
      unit === "bytes" ? formatSize(value) : `${Math.round(value)}`;
    const parts = [
      `${phase}: ${show(done)}${total === undefined ? "" : ` of ${show(total)}`}${unit === "bytes" ? "" : ` ${unit}`}`,
      `${show(rate)}/s`,
    ];
    if (bytes !== undefined && bytes > 0) {
      parts.push(formatSize(bytes), `${formatSize(bytes / seconds)}/s`);
    }
    if (total !== undefined && rate > 0 && total > done) {
      parts.push(`${Math.ceil((total - done) / rate)} s left`);
    }
    return parts.join(", ");
  }
}
