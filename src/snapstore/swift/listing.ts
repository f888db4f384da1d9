import { isFolderMark, type SwiftContainer } from "./container.js";
import { SEGMENTS } from "./segment-names.js";

/** Maximum number of entries in a page. radosgw returns at most as many, whatever the request says. */
export const PAGE = 1000;

/** An object, or a folder, whose name ends with `/`. */
export interface Entry {
  readonly name: string;
  readonly folder: boolean;
  readonly size: number;
  readonly modified: Date;
  readonly tag: string | undefined;
}

interface Listed {
  readonly name?: string;
  readonly subdir?: string;
  readonly hash?: string;
  readonly bytes?: number;
  readonly content_type?: string;
  readonly last_modified?: string;
}

/** A marker after the names of all segments: `0` comes after `/`. */
const AFTER_SEGMENTS = `${SEGMENTS.slice(0, -1)}0`;

/** One page of names after `marker`, without segments unless the prefix is one of segments. */
export async function pageOf(
  container: SwiftContainer,
  prefix: string,
  options: { marker: string; shallow?: boolean; limit: number; signal: AbortSignal | undefined },
): Promise<{ entries: Entry[]; next: string | undefined }> {
  const limit = Math.min(options.limit, PAGE);
  const listed: Listed[] = [];
  // A page that is shorter than its limit need not be the last: radosgw 16 gave 82 names of 100. An empty one is.
  for (let marker: string | undefined = options.marker; marker !== undefined; ) {
    const page = await namesAfter(container, prefix, marker, limit - listed.length, options);
    listed.push(...page);
    marker = listed.length >= limit ? undefined : nameOf(page.at(-1));
  }
  const entries = listed.filter((one) => !isFolderMark(one.content_type, one.bytes)).map(entryOf);
  const last = listed.length < limit ? undefined : nameOf(listed.at(-1));
  if (prefix.startsWith(SEGMENTS)) return { entries, next: last };
  return {
    entries: entries.filter(({ name }) => !name.startsWith(SEGMENTS)),
    next: last?.startsWith(SEGMENTS) ? AFTER_SEGMENTS : last,
  };
}

async function namesAfter(
  container: SwiftContainer,
  prefix: string,
  marker: string,
  limit: number,
  { shallow = false, signal }: { shallow?: boolean; signal: AbortSignal | undefined },
): Promise<readonly Listed[]> {
  const response = await container.call({
    method: "GET",
    name: "",
    query: {
      format: "json",
      prefix,
      limit: String(limit),
      ...(marker !== "" && { marker }),
      ...(shallow && { delimiter: "/" }),
    },
    signal,
  });
  const listed = (await response.json()) as readonly Listed[];
  // Some servers list the folder that the marker names again.
  return listed.filter((one) => nameOf(one) !== marker);
}

function nameOf(listed: Listed | undefined): string | undefined {
  return listed?.subdir ?? listed?.name;
}

/** Content type of a large object. It has the size, since some servers list that of the manifest. */
export function largeObjectType(size: number): string {
  return `application/octet-stream;size=${size}`;
}

function entryOf(listed: Listed): Entry {
  const [, large] = /;\s*size=(\d+)/.exec(listed.content_type ?? "") ?? [];
  return {
    name: listed.subdir ?? listed.name ?? "",
    folder: listed.subdir !== undefined,
    size: large === undefined ? (listed.bytes ?? 0) : Number(large),
    // Swift omits the time zone, which is UTC.
    modified: new Date(`${(listed.last_modified ?? "1970-01-01T00:00:00").replace(/Z$/, "")}Z`),
    // For a large object the listing has another hash than HEAD.
    tag: large === undefined ? listed.hash : undefined,
  };
}
