import type { UsageError } from "../../errors.js";

/**
 * An endpoint as a URL; `host:port` alone gets the scheme.
 *
 * @param reject makes the error from what is wrong with the endpoint, which never repeats a password
 */
export function endpointUrl(
  given: string,
  reject: (problem: string) => UsageError,
  scheme: "http" | "https" = "https",
): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `${scheme}://${given}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) throw reject("holds credentials");
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw reject("is not an http or https URL");
  }
  return text.replace(/\/+$/, "");
}
