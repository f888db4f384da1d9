import type { ChildProcess } from "node:child_process";
import type { RcloneConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";

/** Kept of what rclone prints, characters. */
const KEPT = 8000;
/** Lines that an error shows, at most. */
const LINES = 3;
/** Characters that an error shows, at most. */
const SHOWN = 400;

/** What one rclone process printed last, and how it ended. */
export class LastWords {
  /** Resolves when the process has ended and its output is read. Never rejects. */
  readonly ended: Promise<void>;
  readonly #config: RcloneConfig;
  #said = "";
  #how = "";

  constructor(child: ChildProcess, config: RcloneConfig) {
    this.#config = config;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#said = (this.#said + text).slice(-KEPT);
    });
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#how = signal === null ? `exit code ${code}` : `ended by ${signal}`;
        resolve();
      });
    });
  }

  /** Everything that is kept, as rclone printed it. */
  get raw(): string {
    return this.#said;
  }

  /** The error for a process that has ended; `what` is the sentence before its words. */
  error(code: StoreErrorCode, what: string, store: string, cause?: unknown): StoreError {
    const encrypted = ENCRYPTED.test(this.#said);
    const words = this.#shown();
    const message = `${what} (${this.#how})${words === "" ? "" : `: ${words}`}`;
    const variable = this.#config.passwordVariable ?? "RCLONE_CONFIG_PASS";
    return encrypted
      ? new StoreError("STORE_CREDENTIALS", `the rclone.conf is encrypted: ${message}`, {
          store,
          cause,
          hint: `set ${variable} to the password of the rclone.conf`,
        })
      : new StoreError(code, message, { store, cause });
  }

  #shown(): string {
    const lines = this.#said
      .split("\n")
      .map((line) => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, "").trim())
      .filter((line) => line !== "" && !/Serving remote control on/.test(line));
    let words = lines.slice(-LINES).join("; ");
    for (const secret of secretsOf(this.#config)) words = words.replaceAll(secret, "…");
    return words.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, " ").slice(0, SHOWN);
  }
}

const ENCRYPTED =
  /unable to decrypt configuration|couldn't decrypt configuration|RCLONE_CONFIG_PASS/i;

/** Values that rclone was given and might print, the longest first. */
function secretsOf({ container, environment = {} }: RcloneConfig): string[] {
  const ofVariables = Object.entries(environment)
    .filter(([name]) => /KEY|SECRET|PASS|TOKEN|SAS|CREDENTIAL/.test(name))
    .map(([, value]) => value);
  // A remote may be written with its parameters: `:s3,secret_access_key=…:bucket`.
  const ofRemote = [...container.matchAll(/=("(?:[^"]|"")*"|'(?:[^']|'')*'|[^,:]*)/g)].map(
    ([, value = ""]) => value.replace(/^(["'])(.*)\1$/s, "$2"),
  );
  return [...ofVariables, ...ofRemote]
    .filter((value) => value.length >= 4)
    .sort((a, b) => b.length - a.length);
}
