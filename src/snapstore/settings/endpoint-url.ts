import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";

/** An endpoint as a URL; `host:port` alone gets a scheme. Refuses credentials in it. */
export function endpointUrl(
  given: string,
  where: string,
  scheme: "http" | "https" = "https",
): string {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(given) ? given : `${scheme}://${given}`;
  let url: URL | undefined;
  try {
    url = new URL(text);
  } catch {
    // Told below.
  }
  if (url?.username || url?.password) {
    throw new UsageError(`the endpoint of ${where} holds credentials`);
  }
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "") {
    throw new UsageError(`the endpoint ${quoted(given)} of ${where} is no http or https URL`);
  }
  return text.replace(/\/+$/, "");
}
