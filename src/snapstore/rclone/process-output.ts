import type { ChildProcess } from "node:child_process";
import type { RcloneConfig } from "../config.js";
import { StoreError, type StoreErrorCode } from "../errors.js";

/** Characters of the output that are kept. */
const KEPT = 8000;
/** Maximum number of lines and characters in an error. */
const MAX_LINES = 3;
const MAX_CHARACTERS = 400;

/** The last output of an rclone process, and how it ended. */
export class ProcessOutput {
  /** Resolves when the process has ended and its output is complete. Never rejects. */
  readonly ended: Promise<void>;
  readonly #config: RcloneConfig;
  #text = "";
  #exit = "";

  constructor(child: ChildProcess, config: RcloneConfig) {
    this.#config = config;
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#text = (this.#text + text).slice(-KEPT);
    });
    this.ended = new Promise((resolve) => {
      child.once("close", (code, signal) => {
        this.#exit = signal === null ? `exit code ${code}` : `ended by ${signal}`;
        resolve();
      });
    });
  }

  get text(): string {
    return this.#text;
  }

  /** The error for a process that has ended; `what` precedes its output. */
  error(code: StoreErrorCode, what: string, store: string, cause?: unknown): StoreError {
    const encrypted = ENCRYPTED.test(this.#text);
    const lines = this.#lastLines();
    const message = `${what} (${this.#exit})${lines === "" ? "" : `: ${lines}`}`;
    const variable = this.#config.passwordVariable ?? "RCLONE_CONFIG_PASS";
    return encrypted
      ? new StoreError("STORE_CREDENTIALS", `the rclone.conf is encrypted: ${message}`, {
          store,
          cause,
          hint: `set ${variable} to the password of the rclone.conf`,
        })
      : new StoreError(code, message, { store, cause });
  }

  #lastLines(): string {
    const lines = this.#text
      .split("\n")
      .map((line) => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, "").trim())
      .filter((line) => line !== "" && !/Serving remote control on/.test(line));
    let text = lines.slice(-MAX_LINES).join("; ");
    for (const secret of secretsOf(this.#config)) text = text.replaceAll(secret, "…");
    return text.replace(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, " ").slice(0, MAX_CHARACTERS);
  }
}

const ENCRYPTED =
  /unable to decrypt configuration|couldn't decrypt configuration|RCLONE_CONFIG_PASS/i;

/** Secrets that rclone was started with and might print, the longest first. */
function secretsOf({ container, environment = {} }: RcloneConfig): string[] {
  const ofVariables = Object.entries(environment)
    .filter(([name]) => /KEY|SECRET|PASS|TOKEN|SAS|CREDENTIAL/.test(name))
    .map(([, value]) => value);
  // A remote may contain its parameters: `:s3,secret_access_key=…:bucket`.
  const ofRemote = [...container.matchAll(/=("(?:[^"]|"")*"|'(?:[^']|'')*'|[^,:]*)/g)].map(
    ([, value = ""]) => value.replace(/^(["'])(.*)\1$/s, "$2"),
  );
  return [...ofVariables, ...ofRemote]
    .filter((value) => value.length >= 4)
    .sort((a, b) => b.length - a.length);
}
