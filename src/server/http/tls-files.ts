import { createSecureContext, type SecureContextOptions } from "node:tls";
import { SettingError, errorMessage } from "../../errors.js";
import { ChangingFile } from "./changing-file.js";
import type { HttpLog } from "./parts.js";

/** A certificate and its key, read again after a change of one of them. */
export class TlsFiles {
  readonly #cert: ChangingFile;
  readonly #key: ChangingFile;
  #current: { readonly cert?: Buffer | undefined; readonly key?: Buffer | undefined } = {};
  /** What was read since, and does not fit yet. */
  #pending: { cert?: Buffer | undefined; key?: Buffer | undefined } = {};
  #timer: NodeJS.Timeout | undefined;
  #logged: string | undefined;

  /** @throws SettingError where they cannot be read, or do not belong together */
  constructor(paths: { readonly cert: string; readonly key: string }) {
    this.#cert = new ChangingFile(paths.cert);
    this.#key = new ChangingFile(paths.key);
    this.#reload();
  }

  get context(): SecureContextOptions {
    return { ...this.#current, minVersion: "TLSv1.2" };
  }

  /** Passes each new pair on. Until both files fit, the old pair is used: they are not replaced at the same time. */
  watch(log: HttpLog, everyMs: number, onChange: (context: SecureContextOptions) => void): void {
    this.#timer = setInterval(() => {
      try {
        if (!this.#reload()) return;
        this.#logged = undefined;
        onChange(this.context);
        log.info({}, "the certificate of the HTTP server was read again");
      } catch (error) {
        const problem = errorMessage(error);
        if (problem === this.#logged) return;
        this.#logged = problem;
        log.warn({}, `${problem}; the certificate that was read before is still used`);
      }
    }, everyMs);
    this.#timer.unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #reload(): boolean {
    this.#pending.cert = read(this.#cert, "server-cert") ?? this.#pending.cert;
    this.#pending.key = read(this.#key, "server-key") ?? this.#pending.key;
    const { cert = this.#current.cert, key = this.#current.key } = this.#pending;
    if (cert === this.#current.cert && key === this.#current.key) return false;
    checkPair({ cert, key });
    this.#current = { cert, key };
    this.#pending = {};
    return true;
  }
}

function read(file: ChangingFile, setting: string): Buffer | undefined {
  try {
    return file.readIfChanged();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SettingError(setting, `cannot be read: ${reason}`, { cause });
  }
}

function checkPair(pair: SecureContextOptions): void {
  try {
    createSecureContext(pair);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SettingError("server-cert", `cannot be used with its key: ${reason}`, { cause });
  }
}
