import { fileURLToPath } from "node:url";
import { SettingError, type UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { StoreProvider } from "../config.js";

/** Where a store is, without credentials. */
export interface StoreLocation {
  readonly provider: StoreProvider;
  readonly container: string;
  /** Segments without `/` at either end. */
  readonly prefix: string;
}

/** Makes the error from the problem. */
type Reject = (problem: string) => UsageError;

export const SCHEMES: Readonly<Record<string, StoreProvider>> = {
  s3: "S3",
  azblob: "ABS",
  gs: "GCS",
  swift: "Swift",
  oss: "OSS",
  ecs: "ECS",
  ocs: "OCS",
};

export const PROVIDERS: readonly StoreProvider[] = [
  "Local",
  "S3",
  "ABS",
  "GCS",
  "Swift",
  "OSS",
  "ECS",
  "OCS",
  "Rclone",
] as const satisfies readonly StoreProvider[];

/** Parses the short form of a store, such as `s3://bucket/prefix`. */
export function parseLocation(setting: string, given: string): StoreLocation {
  const reject: Reject = (problem) =>
    new SettingError(setting, `${quoted(withoutSecret(given))} ${problem}`, {
      hint: "write s3://bucket/prefix, azblob://, gs://, swift://, oss://, file:///path or rclone:remote:path",
    });
  if (given.startsWith("rclone:")) return rclone(given.slice("rclone:".length), reject);
  const [, scheme = "", rest = ""] = /^([a-z0-9]+):\/\/(.*)$/is.exec(given) ?? [];
  if (scheme.toLowerCase() === "file") return folder(given, rest, reject);
  const provider = SCHEMES[scheme.toLowerCase()];
  if (provider === undefined) throw reject("has an unknown scheme");
  // `?versions` would become part of the container name.
  if (/[?#]/.test(rest)) throw reject("has a query, which no store supports");
  if (rest.includes("@"))
    throw reject("contains credentials, which belong in a file or a variable");
  const [container = "", ...path] = rest.split("/");
  if (container === "") throw reject("lacks the container");
  return { provider, container, prefix: checkedPrefix(path.join("/"), reject) };
}

export function parseProvider(setting: string, given: string): StoreProvider {
  const provider = PROVIDERS.find((one) => one.toLowerCase() === given.toLowerCase());
  if (provider !== undefined) return provider;
  throw new SettingError(setting, `${quoted(given)} is not a provider`, {
    hint: `write one of ${PROVIDERS.join(", ")}`,
  });
}

/** The provider of a short form, or of a provider's name; undefined for anything else. */
export function providerNamed(given: string): StoreProvider | undefined {
  const [, scheme = given] = /^([a-z0-9]+):/i.exec(given) ?? [];
  const word = scheme.toLowerCase();
  if (word === "file") return "Local";
  return SCHEMES[word] ?? PROVIDERS.find((one) => one.toLowerCase() === word);
}

export function parsePrefix(setting: string, given: string): string {
  const hint = "write a path such as a/b";
  return checkedPrefix(
    given,
    (problem) => new SettingError(setting, `${quoted(given)} ${problem}`, { hint }),
  );
}

function checkedPrefix(given: string, reject: Reject): string {
  const trimmed = given.replace(/^\/+|\/+$/g, "");
  const segments = trimmed.split("/");
  if (trimmed !== "" && segments.some((one) => one === "" || one === "." || one === "..")) {
    throw reject("has an empty, . or .. segment in its path");
  }
  if (/\p{Cc}/u.test(trimmed)) throw reject("has a control character in its path");
  return trimmed;
}

/** Decodes the path if it is percent-encoded. */
function folder(given: string, rest: string, reject: Reject): StoreLocation {
  if (!rest.startsWith("/")) throw reject("is not absolute: write file:///path");
  let path: string;
  try {
    path = /%[0-9a-f]{2}/i.test(rest) ? fileURLToPath(given) : rest;
  } catch {
    throw reject("is not a path");
  }
  if (path === "/") throw reject("is the root of the file system");
  return { provider: "Local", container: path.replace(/\/+$/, ""), prefix: "" };
}

function rclone(rest: string, reject: Reject): StoreLocation {
  // A connection string (`:s3,key=…:`) may contain secrets, and names of stores are printed.
  if (!isRcloneRemote(rest)) throw reject("lacks the remote: write rclone:remote:path");
  return { provider: "Rclone", container: rest.replace(/(?<=[^:/])\/+$/, ""), prefix: "" };
}

/** Whether a text is `remote:` or `remote:path`, with a remote of the rclone.conf. */
export function isRcloneRemote(text: string): boolean {
  return /^[^:/,]+:/.test(text);
}

/** Masks what looks like `user:password@`. */
function withoutSecret(given: string): string {
  return given.replace(/(:\/\/)[^/]*@/, "$1…@");
}
