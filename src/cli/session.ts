import type { OperationContext } from "../operations/context.js";
import type { OperationEvent } from "../operations/events.js";
import type { StateFolder } from "../operations/open/state-file.js";
import { escapeActing, escapeActingJson, namingFlags, printable } from "./output/failure.js";
import type { commonFlags, newPassphraseFlags, passphraseFlags } from "./flags.js";
import { jsonEvent } from "./output/json-event.js";
import { linesOf } from "./output/lines.js";
import { NEW_PASSPHRASE, PASSPHRASE, readPassphrase } from "./input/passphrase.js";
import { ProgressView } from "./output/progress.js";
import { stateFolder } from "./state-folder.js";
import type { Terminal } from "./process/terminal.js";
import type { Values } from "./values.js";

type SessionArgs = Partial<
  Values<typeof commonFlags> & Values<typeof passphraseFlags> & Values<typeof newPassphraseFlags>
>;

const JSON_PROGRESS_EVERY_MS = 1000;
/** Told on standard error whatever the flags. */
const IMPORTANT: ReadonlySet<OperationEvent["type"]> = new Set([
  "warning",
  "missing",
  "key-slots",
  "suspects",
  "snapshot-not-copied",
  "store-retrying",
] as const);

/** One run of a command: where its events go and where its passphrase comes from. */
export class Session implements OperationContext {
  readonly terminal: Terminal;
  readonly toolVersion: string;
  readonly stateFolder: StateFolder | undefined;
  readonly #args: SessionArgs;
  readonly #progress: ProgressView;
  #lastProgress = 0;

  constructor(args: SessionArgs, terminal: Terminal, toolVersion: string) {
    this.#args = args;
    this.terminal = terminal;
    this.toolVersion = toolVersion;
    this.stateFolder = stateFolder(terminal.env);
    this.#progress = new ProgressView(terminal.stderr);
  }

  get signal(): AbortSignal {
    return this.terminal.signal;
  }

  get json(): boolean {
    return this.#args.json === true;
  }

  passphrase = (): Promise<Uint8Array> =>
    readPassphrase(PASSPHRASE, this.#args, this.terminal, this.warn);

  /** Of the backup that a command makes out of another. */
  newPassphrase = (): Promise<Uint8Array> =>
    readPassphrase(NEW_PASSPHRASE, this.#args, this.terminal, this.warn);

  warn = (message: string): void => this.report({ type: "warning", message });

  report = (reported: OperationEvent): void => {
    const event = namingFlags(reported);
    if (event.type === "progress") {
      this.#showProgress(event);
      return;
    }
    if (event.type === "note" && !this.#args.verbose) return;
    const important = IMPORTANT.has(event.type);
    const { out = [], err = [] } = linesOf(event);
    if (this.json) this.write("stdout", [jsonEvent(event)]);
    else this.write("stdout", out);
    if (important || !(this.#args.quiet || this.json)) this.write("stderr", err);
  };

  /** Whole lines, with the progress out of their way. */
  write(stream: "stdout" | "stderr", lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.#progress.hide();
    const ofStdout = this.json ? escapeActingJson : escapeActing;
    const safe = stream === "stderr" ? printable : ofStdout;
    this.terminal[stream].write(`${lines.map(safe).join("\n")}\n`);
  }

  end(): void {
    this.#progress.hide();
  }

  #showProgress(event: Extract<OperationEvent, { type: "progress" }>): void {
    if (this.json) {
      const now = performance.now();
      if (now - this.#lastProgress < JSON_PROGRESS_EVERY_MS) return;
      this.#lastProgress = now;
      this.write("stdout", [jsonEvent(event)]);
    } else if (!this.#args.quiet) {
      this.#progress.update(event);
    }
  }
}
