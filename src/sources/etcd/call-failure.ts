import { status } from "@grpc/grpc-js";
import type { Advice } from "../../errors.js";
import { EtcdError, type EtcdErrorCode } from "./errors.js";

/** What can be done about a failed call. */
type Remedy =
  /** Nothing: the same call fails again. */
  | "none"
  /** The same call can succeed on another endpoint or a moment later. */
  | "retry"
  /** The token has expired: authenticate again. */
  | "token"
  /** Ask for less: the answer or the request is over a limit. */
  | "smaller";

interface CallFailure {
  readonly remedy: Remedy;
  readonly error: EtcdError;
}

interface Meaning {
  readonly code: EtcdErrorCode;
  readonly remedy: Remedy;
  readonly hint?: string;
  readonly settings?: readonly string[];
}

const LOGIN = ["user", "password"];
const CHECK_LOGIN = "check user and password";
const TLS_FILES = ["cacert", "cert", "key"];

/** By messages of the server, from etcd's `api/v3rpc/rpctypes/error.go`: gRPC codes alone are too coarse. */
const RULES: readonly (Meaning & { readonly pattern: RegExp })[] = [
  { pattern: /has been compacted/, code: "ETCD_COMPACTED", remedy: "none" },
  {
    pattern: /database space exceeded/,
    code: "ETCD_NO_SPACE",
    remedy: "none",
    hint: "compact and defragment etcd, or raise --quota-backend-bytes, then `etcdctl alarm disarm`",
  },
  {
    pattern: /invalid auth token|revision of auth store is old/,
    code: "ETCD_AUTH",
    remedy: "token",
  },
  {
    // With a login, too, where authentication was enabled after the connection was opened.
    pattern: /user name is empty/,
    code: "ETCD_AUTH",
    remedy: "token",
    hint: "this etcd needs a user and a password",
    settings: LOGIN,
  },
  {
    pattern: /authentication failed|invalid user|user name not found/,
    code: "ETCD_AUTH",
    remedy: "none",
    hint: CHECK_LOGIN,
    settings: LOGIN,
  },
  {
    pattern: /permission denied/,
    code: "ETCD_AUTH",
    remedy: "none",
    hint: "the user needs a role that reads all keys; to restore or to clear, one that also writes them, such as root",
  },
  { pattern: /requested lease not found/, code: "ETCD_LEASE_GONE", remedy: "none" },
  { pattern: /too many operations in txn/, code: "ETCD_TOO_LARGE", remedy: "smaller" },
  {
    pattern: /request is too large|received message larger than max|trying to send message larger/i,
    code: "ETCD_TOO_LARGE",
    remedy: "smaller",
    hint: "start etcd with a larger --max-request-bytes",
  },
  {
    pattern: /too many requests|leader changed|no leader|not leader|server stopped|raft: stopped/,
    code: "ETCD_UNAVAILABLE",
    remedy: "retry",
  },
  {
    pattern: /before secure TLS connection|wrong version number/,
    code: "ETCD_TLS",
    remedy: "none",
    hint: "does this etcd use TLS? If not, write http:// and leave the TLS files out",
    settings: TLS_FILES,
  },
  {
    pattern:
      /certificate|self.signed|\bSSL\b|\bTLS\b|EPROTO|ERR_TLS|unable to verify|Hostname\/IP/i,
    code: "ETCD_TLS",
    remedy: "none",
    hint: "check the TLS files, and that the endpoint's name is in the server's certificate",
    settings: TLS_FILES,
  },
];

/** The remedy for a failed call, and the error to report. `secure` is whether the call went over TLS. */
export function callFailure(
  cause: unknown,
  endpoint: string,
  operation: string,
  secure: boolean,
): CallFailure {
  if (cause instanceof EtcdError) return { remedy: "none", error: cause };
  const grpcCode = grpcStatus(cause);
  const details = detailsOf(cause);
  const error = (code: EtcdErrorCode, advice: Partial<Advice> = {}, why = details): EtcdError =>
    new EtcdError(code, `etcd ${endpoint}${operationText(operation, why)}: ${why}`, {
      cause,
      ...advice,
      endpoint,
      operation,
    });
  if (grpcCode === status.DEADLINE_EXCEEDED) {
    return {
      remedy: "retry",
      error: error(
        "ETCD_TIMEOUT",
        { hint: "is etcd running there, and has its cluster a leader?" },
        "no answer in time",
      ),
    };
  }
  const rule = RULES.find(({ pattern }) => pattern.test(details)) ?? ruleOfStatus(grpcCode, secure);
  return { remedy: rule.remedy, error: error(rule.code, rule) };
}

function ruleOfStatus(grpcCode: number | undefined, secure: boolean): Meaning {
  switch (grpcCode) {
    case status.UNAVAILABLE: {
      // A server that expects the other scheme may close the connection without an answer.
      const scheme = secure ? "does not use TLS, write http://" : "uses TLS, write https://";
      const hint = `is etcd running there? If it ${scheme}`;
      return { code: "ETCD_UNAVAILABLE", remedy: "retry", hint, settings: ["etcd"] };
    }
    case status.UNAUTHENTICATED:
      return { code: "ETCD_AUTH", remedy: "token", hint: CHECK_LOGIN, settings: LOGIN };
    case status.PERMISSION_DENIED:
      return { code: "ETCD_AUTH", remedy: "none", hint: "the user needs a role such as root" };
    case status.RESOURCE_EXHAUSTED:
      return { code: "ETCD_TOO_LARGE", remedy: "smaller" };
    default:
      return { code: "ETCD_IO", remedy: "none" };
  }
}

/** The failed call, for messages; empty when no server was reached. */
function operationText(operation: string, why: string): string {
  return /^cannot connect|^Name resolution/.test(why) ? "" : `, ${operation}`;
}

function grpcStatus(cause: unknown): number | undefined {
  if (cause instanceof Error && "code" in cause && typeof cause.code === "number")
    return cause.code;
  return undefined;
}

/** The message of an error without the text that gRPC and OpenSSL add. */
function detailsOf(cause: unknown): string {
  let words = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof Error && "details" in cause && typeof cause.details === "string") {
    words = cause.details || words;
  }
  return words
    .replace(/^No connection established\. Last error: (Error: )?/, "cannot connect: ")
    .replace(/cannot connect: Failed to connect/, "cannot connect")
    .replace(/\s*Resolution note:.*$/s, "")
    .replace(/\s*\(\d{4}-\d\d-\d\dT[\d:.]+Z\)/, "")
    .replace(/[0-9A-F]+:error:[0-9A-F]+:SSL routines:\w*:([^:]*):.*$/s, "$1")
    .replace(/\.?\s*$/, "");
}
