import { setTimeout as sleep } from "node:timers/promises";
import { NotLeaderError } from "../../../src/errors.js";
import { GuardedStore } from "../../../src/snapstore/layers/guarded.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import { Election } from "../../../src/sources/etcd/election.js";
import { s3Config } from "../stores/s3-buckets.js";

/** A process that puts numbered objects into a bucket while it leads. */
const [endpoint = "", identity = "", ttl = "", bucket = ""] = process.argv.slice(2);
const { signal } = new AbortController();
const options = { key: "writer", identity, ttlMs: Number(ttl) };
const election = await Election.open({ endpoints: [endpoint] }, options, signal);
const raw = new S3Store(s3Config(bucket));
for (;;) {
  const leadership = await election.campaign(signal);
  const store = new GuardedStore(raw, leadership);
  try {
    for (let i = 0; ; i++) {
      const number = String(i).padStart(6, "0");
      await store.put(`${identity}/${leadership.term}/${number}`, Buffer.from(number), { signal });
      await sleep(20);
    }
  } catch (error) {
    if (!(error instanceof NotLeaderError)) throw error;
  }
}
