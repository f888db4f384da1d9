import { encodePassphraseSlot } from "../../../src/archive/header.js";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import { FileType } from "../../../src/archive/format.js";
import type { ArchivedRevision } from "../../../src/archive/delta/revision.js";
import type { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { revision } from "./deltas.js";
import { fixedSlot } from "./fixed-keys.js";
import { joinSealed, splitSealed } from "./forge.js";
import { noise } from "./full-sample.js";
import { FixtureStream, type LogRange } from "./stream-fixtures.js";

/** Writes streams into a folder, and says what is to be read of them. */
export type StreamFeature = (folder: string, pool: SealPool) => Promise<LogRange>;

const digestOf = (number: number): Buffer => changesDigest(revision(number).changes);

/** A revision of many changes whose bytes are noise. */
function rich(number: number): ArchivedRevision {
  return {
    revision: number,
    seenMs: 1_700_000_000_000 + 777 * number,
    changes: Array.from({ length: 1 + (number % 4) }, (_, i) => ({
      deleted: (number + i) % 3 === 0,
      kv: noise(`${number} ${i}`, 1 + ((number * 37 + i * 11) % 300)),
    })),
    leases: number % 2 === 0 ? [{ id: -(BigInt(number) << 40n), grantedTtl: 2 ** 40 }] : [],
  };
}

/** Every feature that has a frozen log in fixtures/streams/good, by the name of its folder. */
export const STREAM_FEATURES: Readonly<Record<string, StreamFeature>> = {
  "one-delta": async (folder, pool) => {
    await FixtureStream.write(folder, "one", pool, { lengths: [1] });
    return { after: 4, upTo: 5 };
  },
  "many-chunks": async (folder, pool) => {
    await FixtureStream.write(folder, "chunks", pool, { lengths: [20, 1, 4], history: rich });
    return { after: 4, upTo: 29 };
  },
  "part-of-a-stream": async (folder, pool) => {
    const options = { lengths: [4, 3, 5], compactRevision: 3 };
    await FixtureStream.write(folder, "part", pool, options);
    return { after: 6, upTo: 14 };
  },
  "hole-before-the-stream": async (folder, pool) => {
    const hole = { from: 9, to: 99, reason: "etcd compacted them: ä" };
    await FixtureStream.write(folder, "hole", pool, { first: 100, hole });
    return { after: 99, upTo: 107 };
  },
  "revisions-of-nine-digits": async (folder, pool) => {
    const first = 123_456_789;
    await FixtureStream.write(folder, "nine", pool, { first });
    return { after: first - 1, upTo: first + 7 };
  },
  "two-streams-by-digest": async (folder, pool) => {
    await FixtureStream.write(folder, "digest one", pool, { lengths: [3, 2] });
    const options = { first: 10, time: 2000, before: digestOf(9) };
    await FixtureStream.write(folder, "digest two", pool, options);
    return { after: 4, upTo: 17 };
  },
  "two-streams-by-overlap": async (folder, pool) => {
    await FixtureStream.write(folder, "overlap one", pool, { lengths: [3, 2] });
    await FixtureStream.write(folder, "overlap two", pool, { first: 8, time: 2000 });
    return { after: 4, upTo: 15 };
  },
  "another-history-beside": async (folder, pool) => {
    await FixtureStream.write(folder, "ours", pool);
    const history = (number: number) => revision(number, { what: "other" });
    await FixtureStream.write(folder, "theirs", pool, { first: 7, time: 2000, history });
    return { after: 4, upTo: 12 };
  },
  "damaged-delta-replaced": async (folder, pool) => {
    const stream = await FixtureStream.write(folder, "damaged", pool);
    await stream.replace(1, Buffer.from("nothing"));
    await FixtureStream.write(folder, "replacement", pool, { first: 6, time: 500, lengths: [9] });
    return { after: 4, upTo: 12 };
  },
  "key-slot-four-opens": async (folder, pool) => {
    const stream = await FixtureStream.write(folder, "slots", pool, { lengths: [3] });
    const other = encodePassphraseSlot(await fixedSlot("other", "another passphrase"));
    const own = encodePassphraseSlot(stream.keys.slot);
    const slots = [other, Buffer.from([9, 1, 0, 7]), other, other, own];
    const header = stream.forger.header(FileType.delta, 0, 512, slots);
    await stream.replace(0, joinSealed({ ...splitSealed(stream.sealed(0).bytes), header }));
    return { after: 4, upTo: 7 };
  },
};
