import type { UsageError } from "../../errors.js";

/**
 * An endpoint as a URL; `host:port` without a scheme gets `scheme`.
 *
 * @param reject makes the error from the problem, which never includes a password
 */
export function endpointUrl(
  given: string,
  reject: (problem: string) => UsageError,
  scheme: "http" | "https" = "https",
): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `${scheme}://${given}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username || url?.password) throw reject("contains credentials");
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw reject("is not an http or https URL");
  }
  return text.replace(/\/+$/, "");
}
