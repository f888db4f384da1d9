import type { StoreConfig } from "./config.js";

/** A remote of rclone with parameters, such as `:s3,secret_access_key=…:bucket`, and the path after it. */
const WITH_PARAMETERS =
  /^(:?[^,:]*)(?:,[^=,:]+(?:=(?:"(?:[^"]|"")*"|'(?:[^']|'')*'|(?:[^,:"'][^,:]*)?))?)+:(.*)$/s;

/** The container for people to read: the parameters of an rclone remote may be secrets, and are left out. */
export function shownContainer({
  provider,
  container,
}: Pick<StoreConfig, "provider" | "container">): string {
  if (provider !== "Rclone" || !/^:?[^,:]*,/.test(container)) return container;
  const [, remote = "", path] = WITH_PARAMETERS.exec(container) ?? [];
  // What cannot be taken apart may be a secret up to its end.
  return path === undefined ? `${container.replace(/,.*$/s, "")},…` : `${remote},…:${path}`;
}
