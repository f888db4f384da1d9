import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import { readLog } from "../../../src/snapshots/streams/log-reader.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
import type { NamedStore } from "../stores/flags.js";
import { PASSPHRASE } from "./backuptool.js";
import type { RunningServer } from "./running-server.js";

/** Flags of a server for etcd alone, which leads at once. */
export const ALONE = ["--no-leader-election", "--skip-ceph", "--verify-schedule", "off"];
/** Flags for deltas that come soon. */
export const QUICK = ["--delta-snapshot-period", "500ms", "--incremental-schedule", "off"];
const NEVER = new AbortController().signal;

/** All sites have everything that etcd has now. */
export async function untilDurable(
  server: RunningServer,
  etcd: { revision(): Promise<number> },
): Promise<number> {
  const revision = await etcd.revision();
  await server.until(`revision ${revision} at all sites`, async () => {
    const { deltas } = await server.status();
    const sites = Object.values(deltas.sites);
    return sites.length > 0 && sites.every((site) => (site?.durableRevision ?? 0) >= revision);
  });
  return revision;
}

export async function streamsIn(access: NamedStore): Promise<StoredStream[]> {
  const store = access.open();
  try {
    return await listStreams(store, NEVER);
  } finally {
    await store.close();
  }
}

/** The values that the log of a store puts to keys, from revision `after` on: opened and checked from end to end. */
export async function logOf(
  access: NamedStore,
  after: number,
  upTo: number,
): Promise<Map<number, string>> {
  const store = access.open();
  const pool = new SealPool(1);
  try {
    const streams = await listStreams(store, NEVER);
    const found = new Map<number, string>();
    const log = readLog([{ store, streams }], {
      ...{ after, upTo, pool, signal: NEVER },
      passphrase: new PassphraseKeys(Buffer.from(PASSPHRASE)),
    });
    for await (const revisions of log) {
      for (const { revision, changes } of revisions) {
        found.set(revision, Buffer.concat(changes.map(({ kv }) => kv)).toString("latin1"));
      }
    }
    return found;
  } finally {
    await pool.close();
    await store.close();
  }
}
