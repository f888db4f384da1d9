import type { Warn } from "../files/secret-files.js";
import type { OperationContext } from "../operations/context.js";
import type { OperationEvent } from "../operations/events.js";
import type { StateFolder } from "../operations/open/state-file.js";
import { escapeActing, escapeActingJson, printable } from "../printable.js";
import {
  commonSettings,
  newPassphraseSettings,
  passphraseSettings,
} from "../settings/declarations.js";
import { type Values, valuesOf } from "../settings/kinds.js";
import type { Setting } from "../settings/setting.js";
import { readPassphrase } from "./input/passphrase.js";
import { namingSettings, type SettingNames, settingNames } from "./output/failure.js";
import { jsonEvent } from "./output/json-event.js";
import { linesOf } from "./output/lines.js";
import { ProgressView } from "./output/progress.js";
import type { Terminal } from "./process/terminal.js";
import { stateFolder } from "./state-folder.js";

const SETTINGS = { ...commonSettings, ...passphraseSettings, ...newPassphraseSettings };

const JSON_PROGRESS_EVERY_MS = 1000;
/** Reported on standard error even with --quiet or --json. */
const IMPORTANT: ReadonlySet<OperationEvent["type"]> = new Set([
  "warning",
  "missing",
  "key-slots",
  "suspects",
  "snapshot-not-copied",
  "snapshot-not-deleted",
  "store-retrying",
] as const);

/** One run of a command: the receiver of its events and the source of its passphrases. */
export class Session implements OperationContext {
  readonly terminal: Terminal;
  readonly toolVersion: string;
  readonly stateFolder: StateFolder | undefined;
  /** How messages name settings. */
  readonly names: SettingNames;
  /** The settings of this command again, from the same command line, variables and files. @throws UsageError */
  readonly readAgain: () => Promise<readonly Setting[]>;
  readonly #values: Values<typeof SETTINGS>;
  readonly #progress: ProgressView;
  #lastProgress = 0;

  constructor(
    settings: readonly Setting[],
    terminal: Terminal,
    toolVersion: string,
    readAgain: () => Promise<readonly Setting[]> = async () => settings,
  ) {
    this.#values = valuesOf(SETTINGS, settings);
    this.names = settingNames(settings);
    this.terminal = terminal;
    this.toolVersion = toolVersion;
    this.readAgain = readAgain;
    this.stateFolder = stateFolder(terminal.env);
    this.#progress = new ProgressView(terminal.stderr);
  }

  get signal(): AbortSignal {
    return this.terminal.signal;
  }

  get env(): Terminal["env"] {
    return this.terminal.env;
  }

  get json(): boolean {
    return this.#values.json === true;
  }

  get verbose(): boolean {
    return this.#values.verbose === true;
  }

  passphrase = (): Promise<Uint8Array> => readPassphrase("passphrase", this.#values, this);

  /** Of the backup that a command makes from another one. */
  newPassphrase = (): Promise<Uint8Array> => readPassphrase("new-passphrase", this.#values, this);

  warn: Warn = (message, settings) => this.report({ type: "warning", message, settings });

  report = (reported: OperationEvent): void => {
    const event = namingSettings(reported, this.names);
    if (event.type === "progress") {
      this.#showProgress(event);
      return;
    }
    if (event.type === "note" && !this.verbose) return;
    const important = IMPORTANT.has(event.type);
    const { out = [], err = [] } = linesOf(event);
    if (this.json) this.write("stdout", [jsonEvent(event)]);
    else this.write("stdout", out);
    if (important || !(this.#values.quiet || this.json)) this.write("stderr", err);
  };

  /** Writes whole lines; the progress does not mix with them. */
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
    } else if (!this.#values.quiet) {
      this.#progress.update(event);
    }
  }
}
