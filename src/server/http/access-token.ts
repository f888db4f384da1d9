import { createHash, timingSafeEqual } from "node:crypto";
import { SettingError, errorMessage } from "../../errors.js";
import { quoted } from "../../quoted.js";
import { ChangingFile } from "./changing-file.js";
import type { HttpLog } from "./parts.js";

const SETTING = "server-token-file";
const MIN_LENGTH = 16;
/** RFC 6750, section 2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const BEARER = /^Bearer +(\S+)$/i;

/** The token that callers must present; its file is read again after each change. */
export class AccessToken {
  readonly #file: ChangingFile;
  readonly #log: HttpLog;
  /** SHA-256 of the token; undefined while the file has none. */
  #digest: Buffer | undefined;
  #logged: string | undefined;

  /** @throws SettingError where the file has no token */
  constructor(path: string, log: HttpLog) {
    this.#file = new ChangingFile(path);
    this.#log = log;
    this.#read();
  }

  /**
   * Compares in a time that does not depend on the token.
   *
   * @param authorization the header of a request
   */
  check(authorization: string | undefined): "valid" | "missing" | "wrong" | "unreadable" {
    this.#refresh();
    const [, given] = BEARER.exec(authorization ?? "") ?? [];
    if (given === undefined) return "missing";
    if (this.#digest === undefined) return "unreadable";
    return timingSafeEqual(sha256(given), this.#digest) ? "valid" : "wrong";
  }

  /** A file without a token rejects every call: the old token may have been revoked. */
  #refresh(): void {
    try {
      this.#read();
      this.#logged = undefined;
    } catch (error) {
      this.#digest = undefined;
      const problem = errorMessage(error);
      if (problem !== this.#logged) this.#log.error({}, problem);
      this.#logged = problem;
    }
  }

  #read(): void {
    const content = this.#changedContent();
    if (content === undefined) return;
    const token = content.toString("latin1").replace(/\r?\n$/, "");
    content.fill(0);
    if (token.length < MIN_LENGTH || !TOKEN.test(token)) {
      const path = quoted(this.#file.path);
      const form = `one line of at least ${MIN_LENGTH} letters, digits and -._~+/=`;
      throw new SettingError(SETTING, `${path} must hold ${form}`, {
        hint: "make one with: openssl rand -hex 32",
      });
    }
    this.#digest = sha256(token);
  }

  #changedContent(): Buffer | undefined {
    try {
      return this.#file.readIfChanged();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SettingError(SETTING, `cannot be read: ${reason}`, { cause });
    }
  }
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
