import { BackupToolError, UsageError } from "../../errors.js";
import { copyStreamFiles } from "../../replication/copy/stream.js";
import { begunAt } from "../../snapshots/begun-at.js";
import { readStream } from "../../snapshots/streams/list-streams.js";
import type { StoredStream } from "../../snapshots/streams/stored-stream.js";
import { parseStreamName, type StreamName } from "../../snapshots/streams/stream-name.js";
import { StoreError } from "../../snapstore/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { Site, SiteListing } from "../site.js";
import type { Sites } from "../sites.js";
import type { SealedDelta } from "./outbox.js";
import type { DeltaSite } from "./site-sender.js";
import type { ListedHistory } from "./stored-log.js";

/** A site as deltas need it. What fails counts for its breaker. */
export function deltaSite(site: Site, sites: Sites): DeltaSite {
  return {
    name: site.name,
    put: (delta, signal) => site.run(() => putOnce(site.store, delta, signal)),
    copyStream: async (stream, from, signal) => {
      const source = sites.all.find(({ name }) => name === from);
      const name = parseStreamName(stream);
      if (source === undefined || name === undefined) throw new UsageError(`no stream ${stream}`);
      return await source.run(() => site.run(() => copyStream(source, site, name, signal)));
    },
  };
}

/** The name of a stream has random digits, so that what is there already under a name of it is from an earlier try. */
async function putOnce(
  store: SnapStore,
  { key, bytes }: SealedDelta,
  signal: AbortSignal,
): Promise<void> {
  try {
    await store.put(key, bytes, { signal });
  } catch (error) {
    // A lock keeps what an earlier try has stored, whose answer was lost.
    if (!(error instanceof StoreError) || error.code !== "STORE_IMMUTABLE") throw error;
    if (!(await holds(store, key, bytes, signal))) throw error;
  }
}

async function holds(
  store: SnapStore,
  key: string,
  bytes: Uint8Array,
  signal: AbortSignal,
): Promise<boolean> {
  const stored = await store.head(key, signal);
  if (stored?.size !== bytes.length) return false;
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(key, { signal, ifTag: stored.tag })) pieces.push(piece);
  return Buffer.concat(pieces).equals(bytes);
}

async function copyStream(
  source: Site,
  target: Site,
  name: StreamName,
  signal: AbortSignal,
): Promise<StoredStream | undefined> {
  try {
    await copyStreamFiles(source.store, target.store, name, { signal });
  } catch (error) {
    // Retention has deleted it meanwhile.
    if (!(error instanceof BackupToolError) || error.code !== "NO_SNAPSHOT") throw error;
  }
  return await readStream(target.store, name, signal);
}

/** What a listing shows of the history of etcd. */
export function listedHistory({
  snapshots,
  streams,
}: Pick<SiteListing, "snapshots" | "streams">): ListedHistory {
  const bases = snapshots.flatMap(({ name, state, facts }) => {
    if (state !== "complete" || facts?.etcdSnapshot === undefined) return [];
    const { etcdSnapshot: revision, startedAt, finishedAt } = facts;
    const begunMs = begunAt(startedAt, name.time);
    return [{ revision, begunMs, takenMs: Date.parse(finishedAt) }];
  });
  return { snapshots, streams, bases };
}

/**
 * Lists the sites for the history of etcd, without those that cannot be listed. Throws what the primary throws until that is
 * left alone: the log would go on from an older end, or need another base. Throws if no site can be listed.
 */
export async function listHistories(
  sites: Sites,
  signal: AbortSignal,
): Promise<Map<Site["name"], ListedHistory>> {
  const found = new Map<Site["name"], ListedHistory>();
  const results = await Promise.allSettled(
    sites.all.map(async (site) => {
      const listed = await site.run(() => site.catalog.listAll(signal));
      found.set(site.name, listedHistory(listed));
    }),
  );
  const [primary] = results;
  if (primary?.status === "rejected" && (found.size === 0 || !isLeftAlone(primary.reason))) {
    throw primary.reason;
  }
  return found;
}

function isLeftAlone(error: unknown): boolean {
  return error instanceof BackupToolError && error.code === "BREAKER_OPEN";
}
