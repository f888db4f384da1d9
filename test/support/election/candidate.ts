import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Election } from "../../../src/sources/etcd/election.js";

/** A process that campaigns again and again, and notes each moment at which it leads. SIGTERM: it resigns and ends. */
const [endpoint = "", key = "", identity = "", ttl = "", log = ""] = process.argv.slice(2);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

const options = { key, identity, ttlMs: Number(ttl) };
const election = await Election.open({ endpoints: [endpoint] }, options, stop.signal);
try {
  for (;;) {
    const leadership = await election.campaign(stop.signal);
    for (;;) {
      // The time before the look: a process that is stopped in between does not claim to have led later.
      const now = process.hrtime.bigint();
      if (!leadership.held()) break;
      appendFileSync(log, `${identity}-${leadership.term} ${now}\n`);
      await sleep(30, undefined, { signal: stop.signal });
    }
  }
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  await election.resign();
  election.close();
}
