import { fileURLToPath } from "node:url";
import { UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import type { StoreProvider } from "../config.js";

/** Where a store is, without how to get in. */
export interface StoreLocation {
  readonly provider: StoreProvider;
  readonly container: string;
  /** Segments without `/` at either end. */
  readonly prefix: string;
}

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

/** The short form of a store. */
export function parseLocation(flag: string, given: string): StoreLocation {
  const wrong = (why: string): UsageError =>
    new UsageError(`--${flag} ${quoted(withoutSecret(given))} ${why}`, {
      hint: "write s3://bucket/prefix, azblob://, gs://, swift://, oss://, file:///path or rclone:remote:path",
    });
  if (given.startsWith("rclone:")) return rclone(given.slice("rclone:".length), wrong);
  const [, scheme = "", rest = ""] = /^([a-z0-9]+):\/\/(.*)$/is.exec(given) ?? [];
  if (scheme.toLowerCase() === "file") return folder(given, rest, wrong);
  const provider = SCHEMES[scheme.toLowerCase()];
  if (provider === undefined) throw wrong("names no kind of store that is known");
  // `?versions` and the like would go into the name of the container.
  if (/[?#]/.test(rest)) throw wrong("has a query, which no store takes");
  if (rest.includes("@")) throw wrong("holds credentials, which belong into a file or a variable");
  const [container = "", ...path] = rest.split("/");
  if (container === "") throw wrong("names no container");
  return { provider, container, prefix: checkedPrefix(path.join("/"), wrong) };
}

/** `--storage-provider`, `--store-container` and `--store-prefix`. */
export function parseProvider(where: string, given: string): StoreProvider {
  const provider = PROVIDERS.find((one) => one.toLowerCase() === given.toLowerCase());
  if (provider !== undefined) return provider;
  throw new UsageError(`${where} ${quoted(given)} is no kind of store`, {
    hint: `write one of ${PROVIDERS.join(", ")}`,
  });
}

/** The provider that a short form or the name of a provider means; undefined where it is neither. */
export function providerNamed(given: string): StoreProvider | undefined {
  const [, scheme = given] = /^([a-z0-9]+):/i.exec(given) ?? [];
  const word = scheme.toLowerCase();
  if (word === "file") return "Local";
  return SCHEMES[word] ?? PROVIDERS.find((one) => one.toLowerCase() === word);
}

export function parsePrefix(flag: string, given: string): string {
  return checkedPrefix(
    given,
    (why) =>
      new UsageError(`--${flag} ${quoted(given)} ${why}`, { hint: "write a path such as a/b" }),
  );
}

function checkedPrefix(given: string, wrong: (why: string) => UsageError): string {
  const trimmed = given.replace(/^\/+|\/+$/g, "");
  const segments = trimmed.split("/");
  if (trimmed !== "" && segments.some((one) => one === "" || one === "." || one === "..")) {
    throw wrong("has an empty, . or .. part in its path");
  }
  if (/\p{Cc}/u.test(trimmed)) throw wrong("has a control character in its path");
  return trimmed;
}

/** A path with a space or a percent sign may be written as it is, or as a URL has it. */
function folder(given: string, rest: string, wrong: (why: string) => UsageError): StoreLocation {
  if (!rest.startsWith("/")) throw wrong("is no absolute path: file:// is followed by /path");
  let path: string;
  try {
    path = /%[0-9a-f]{2}/i.test(rest) ? fileURLToPath(given) : rest;
  } catch {
    throw wrong("is no path");
  }
  if (path === "/") throw wrong("is the root of the file system");
  return { provider: "Local", container: path.replace(/\/+$/, ""), prefix: "" };
}

function rclone(rest: string, wrong: (why: string) => UsageError): StoreLocation {
  // What rclone makes up on the fly (`:s3,key=…:`) holds secrets, and names of stores are printed.
  if (!isRcloneRemote(rest)) throw wrong("names no remote: rclone: is followed by remote:path");
  return { provider: "Rclone", container: rest.replace(/(?<=[^:/])\/+$/, ""), prefix: "" };
}

/** `remote:` or `remote:path`, of a remote that has a name in the configuration. */
export function isRcloneRemote(text: string): boolean {
  return /^[^:/,]+:/.test(text);
}

/** What looks like `user:password@` is not repeated. */
function withoutSecret(given: string): string {
  return given.replace(/(:\/\/)[^/]*@/, "$1…@");
}
