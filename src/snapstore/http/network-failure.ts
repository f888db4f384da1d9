import type { StoreErrorCode } from "../errors.js";

/** What an error of a connection means: gone for now, or a certificate that will not do. */
export interface NetworkFailure {
  readonly code: StoreErrorCode;
  readonly message: string;
  readonly hint?: string;
}

/** Undefined when it is no error of a connection. Looks into the causes, too. */
export function networkFailure(error: unknown): NetworkFailure | undefined {
  for (let at = error; at instanceof Error; at = at.cause) {
    const code = "code" in at && typeof at.code === "string" ? at.code : "";
    const ofProxy = OF_PROXIES[code];
    if (ofProxy !== undefined) return { ...ofProxy, message: at.message };
    if (CERTIFICATE.test(code)) {
      return {
        code: "STORE_FAILED",
        message: `the server's certificate is refused: ${at.message}`,
        hint: "give the authority that signed it with the store's credentials",
      };
    }
    if (TRANSIENT.has(code) || at.name === "TimeoutError") {
      return { code: "STORE_TRANSIENT", message: at.message || code };
    }
  }
  return undefined;
}

/** By the code of a ProxyError, which libraries keep. */
const OF_PROXIES: Readonly<Record<string, Omit<NetworkFailure, "message">>> = {
  PROXY_UNREACHABLE: {
    code: "STORE_TRANSIENT",
    hint: "check the variable of the proxy, or name the store's host in NO_PROXY",
  },
  PROXY_TRANSIENT: { code: "STORE_TRANSIENT", hint: "see what the proxy's log says" },
  PROXY_REFUSED: {
    code: "STORE_FAILED",
    hint: "allow the store at the proxy, or name the store's host in NO_PROXY",
  },
  PROXY_CERTIFICATE: {
    code: "STORE_FAILED",
    hint: "name the authority that signed the proxy's certificate in NODE_EXTRA_CA_CERTS",
  },
  PROXY_CREDENTIALS: {
    code: "STORE_FAILED",
    hint: "write them into the variable of the proxy, as http://USER:PASSWORD@HOST:PORT",
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
  // An answer that is no HTTP.
  "HPE_INVALID_CONSTANT",
  "HPE_INVALID_CONTENT_LENGTH",
  "HPE_INVALID_CHUNK_SIZE",
  "HPE_INVALID_EOF_STATE",
  "HPE_INVALID_HEADER_TOKEN",
]);
