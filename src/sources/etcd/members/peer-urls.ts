import { UsageError } from "../../../errors.js";
import { quoted } from "../../../quoted.js";

/**
 * The peer URLs of each member by its name: etcd's `name=URL,name=URL`, where a member with two URLs comes twice.
 *
 * @throws UsageError
 */
export function parseInitialCluster(text: string): Map<string, string[]> {
  const members = new Map<string, string[]>();
  for (const part of text.split(",").map((one) => one.trim())) {
    if (part === "") continue;
    const at = part.indexOf("=");
    const name = part.slice(0, Math.max(at, 0));
    if (name === "") {
      throw new UsageError(`${quoted(part)} is not a member of etcd`, {
        hint: "write name=URL for each, separated by commas, such as m1=http://10.0.0.1:2380",
        settings: ["initial-cluster"],
      });
    }
    const url = checkPeerUrl(part.slice(at + 1), "initial-cluster");
    members.set(name, [...(members.get(name) ?? []), url]);
  }
  if (members.size === 0) {
    throw new UsageError("no member of etcd is named", {
      hint: "write name=URL for each, separated by commas",
      settings: ["initial-cluster"],
    });
  }
  return members;
}

/** The members in etcd's form. */
export function formatInitialCluster(members: ReadonlyMap<string, readonly string[]>): string {
  return [...members].flatMap(([name, urls]) => urls.map((url) => `${name}=${url}`)).join(",");
}

/** Peer URLs separated by commas. @throws UsageError */
export function parsePeerUrls(text: string, setting: string): string[] {
  const urls = text
    .split(",")
    .map((url) => url.trim())
    .filter((url) => url !== "");
  if (urls.length === 0) {
    throw new UsageError("no peer URL is given", {
      hint: "write the URL at which the other members reach this one",
      settings: [setting],
    });
  }
  return urls.map((url) => checkPeerUrl(url, setting));
}

/** Returns the URL where etcd takes it: scheme, host and port, and nothing after them. @throws UsageError */
export function checkPeerUrl(url: string, setting: string): string {
  if (/^https?:\/\/(\[[\da-fA-F:.]+\]|[\w.-]+):\d{1,5}$/.test(url)) return url;
  throw new UsageError(`${quoted(url)} is not a peer URL of etcd`, {
    hint: "write http:// or https://, host and port, such as http://10.0.0.1:2380",
    settings: [setting],
  });
}

/** Whether two members have a peer URL in common: a cluster has each URL once. */
export function sharesPeerUrl(one: readonly string[], other: readonly string[]): boolean {
  const normal = new Set(one.map(normalUrl));
  return other.some((url) => normal.has(normalUrl(url)));
}

function normalUrl(url: string): string {
  return url.replace(/\/+$/, "").toLowerCase();
}
