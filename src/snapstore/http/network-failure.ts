import type { StoreErrorCode } from "../errors.js";

/** A failed connection: temporary, or an invalid certificate. */
export interface NetworkFailure {
  readonly code: StoreErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/** Undefined for an error that is not of a connection, and has none among its causes. */
export function networkFailure(error: unknown): NetworkFailure | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = "code" in at && typeof at.code === "string" ? at.code : "";
    const ofProxy = PROXY_FAILURES[code];
    if (ofProxy !== undefined) return { ...ofProxy, message: at.message };
    if (CERTIFICATE.test(code)) {
      return {
        code: "STORE_FAILED",
        message: `the server's certificate is invalid: ${at.message}`,
        hint: "add the CA that signed it to the store's credentials",
      };
    }
    if (TRANSIENT.has(code) || at.name === "TimeoutError") {
      return { code: "STORE_TRANSIENT", message: at.message || code };
    }
  }
  return undefined;
}

/** By the code of a ProxyError, which libraries keep in errors of their own. */
const PROXY_FAILURES: Readonly<Record<string, Omit<NetworkFailure, "message">>> = {
  PROXY_UNREACHABLE: {
    code: "STORE_TRANSIENT",
    hint: "check the proxy variable, or add the store's host to NO_PROXY",
  },
  PROXY_TRANSIENT: { code: "STORE_TRANSIENT", hint: "check the log of the proxy" },
  PROXY_REFUSED: {
    code: "STORE_FAILED",
    hint: "allow the store in the proxy, or add the store's host to NO_PROXY",
  },
  PROXY_CERTIFICATE: {
    code: "STORE_FAILED",
    hint: "set NODE_EXTRA_CA_CERTS to the CA that signed the proxy's certificate",
  },
  PROXY_CREDENTIALS: {
    code: "STORE_FAILED",
    hint: "set the proxy variable to http://USER:PASSWORD@HOST:PORT",
  },
};

const CERTIFICATE = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS_CERT)/;
const TRANSIENT = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EADDRNOTAVAIL",
  "EMFILE",
  "EPROTO",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_STREAM_DESTROYED",
  "ERR_SSL_WRONG_VERSION_NUMBER",
  // The response is not HTTP.
  "HPE_INVALID_CONSTANT",
  "HPE_INVALID_CONTENT_LENGTH",
  "HPE_INVALID_CHUNK_SIZE",
  "HPE_INVALID_EOF_STATE",
  "HPE_INVALID_HEADER_TOKEN",
]);
