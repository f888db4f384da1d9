import test from "ava";
import fc from "fast-check";
import { newestRevision } from "../../../src/operations/history/plan/newest-revision.js";
import { SiteLog } from "../../../src/server/deltas/site-log.js";
import { storedLog } from "../../../src/server/deltas/stored-log.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import type { StoredStream } from "../../../src/snapshots/streams/stored-stream.js";
import { StreamFolder } from "../../../src/snapshots/streams/stream-folder.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";
import { lateFulls, type SimulatedStream } from "../../support/history/simulated-history.js";

/** As a store lists it. */
function listed({ name, runs, deltas }: SimulatedStream): StoredStream | undefined {
  const { firstRevision, time } = name;
  const folder = new StreamFolder(streamName({ firstRevision, time, id: "00000000" }), false);
  for (const [i, { at, count, first }] of runs.entries()) {
    // A gap has lost one delta at least.
    const lost = i + (i === 0 && first === firstRevision ? 0 : 1);
    for (let place = at; place < at + count; place++) {
      const delta = { ...deltas.at(place), number: place + lost };
      const key = `${folder.name.text}/${deltaName(delta)}`;
      folder.add({ key, size: 100, modified: new Date(0) });
    }
  }
  const { stream } = folder.end() ?? {};
  return stream && { ...stream, base: undefined };
}

test("of one history of etcd, what the status of a server calls durable at a site is never later than the newest revision", (t) => {
  let durable = 0;
  fc.assert(
    fc.property(lateFulls, fc.array(fc.nat(8), { maxLength: 3 }), ({ bases, streams }, lacking) => {
      const all = streams.flatMap((stream) => listed(stream) ?? []);
      const here = all.filter((_, i) => !lacking.includes(i));
      const { held } = storedLog(
        new Map([
          ["primary", { snapshots: [], streams: here, bases }],
          ["secondary", { snapshots: [], streams: all, bases }],
        ] as const),
      );
      for (const log of held.values()) {
        const site = new SiteLog();
        site.listed(log);
        if (site.durable === undefined) continue;
        durable++;
        t.true((newestRevision(bases, all)?.revision ?? 0) >= site.durable);
      }
    }),
    { numRuns: 500 },
  );
  t.true(durable > 100);
});
