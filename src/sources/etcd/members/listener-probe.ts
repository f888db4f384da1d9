import { connect } from "node:net";
import { errorMessage } from "../../../errors.js";

/** Longest wait for a connection, ms. */
const CONNECT_MS = 5_000;

/** The sign of life of a program that listens. */
export const LISTENS = "something accepts connections there";

/** No program can be there that answers: it is not running, or its machine is down or cut off. */
const SILENT = [
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EADDRNOTAVAIL",
  "ETIMEDOUT",
];

/**
 * Why something may be alive at `address` (`host:port`), whatever it speaks; undefined where connections are refused, or
 * nothing answers. A name that cannot be looked up says nothing about its machine.
 */
export function signOfLife(address: string, signal: AbortSignal): Promise<string | undefined> {
  const colon = address.lastIndexOf(":");
  const host = address.slice(0, colon).replace(/^\[(.*)\]$/, "$1");
  const port = Number(address.slice(colon + 1));
  const autoSelectFamilyAttemptTimeout = CONNECT_MS;
  return new Promise((resolve) => {
    const socket = connect({ host, port, autoSelectFamilyAttemptTimeout });
    const abort = (): void => end("interrupted");
    const end = (sign: string | undefined): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      socket.destroy();
      resolve(sign);
    };
    const timer = setTimeout(() => end(undefined), CONNECT_MS);
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    socket.on("connect", () => end(LISTENS));
    socket.on("error", (error) => {
      const all = error instanceof AggregateError ? error.errors : [error];
      end(all.every(isSilent) ? undefined : errorMessage(error));
    });
  });
}

function isSilent(error: unknown): boolean {
  return error instanceof Error && "code" in error && SILENT.includes(String(error.code));
}
