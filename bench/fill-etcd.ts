import { randomBytes } from "node:crypto";
import { EtcdCluster } from "../src/sources/etcd/cluster.js";

/** Puts keys with random values into an etcd, in transactions; the same keys each time. */
export async function fillEtcd(
  endpoint: string,
  keys: { readonly count: number; readonly valueBytes: number },
): Promise<void> {
  const { signal } = new AbortController();
  const cluster = await EtcdCluster.connect({ endpoints: [endpoint] }, signal);
  const absent = { createRevision: 0, modRevision: 0, version: 0, lease: 0n };
  async function* batches() {
    for (let from = 0; from < keys.count; from += 1000) {
      yield Array.from({ length: Math.min(1000, keys.count - from) }, (_, i) => ({
        key: Buffer.from(`btrdb/stream/${String(from + i).padStart(10, "0")}`),
        value: randomBytes(keys.valueBytes),
        ...absent,
      }));
    }
  }
  await cluster.putRecords(batches(), { leases: new Map(), policy: "drop", signal });
  cluster.close();
}
