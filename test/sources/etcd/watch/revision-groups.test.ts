import test from "ava";
import fc from "fast-check";
import { RevisionGroups } from "../../../../src/sources/etcd/watch/revision-groups.js";
import type { WatchEvent } from "../../../../src/sources/etcd/watch/watch-answer.js";
import { WatchEnded } from "../../../../src/sources/etcd/watch/watch-ended.js";

interface Message {
  readonly events: readonly WatchEvent[];
  readonly fragment: boolean;
}

function event(modRevision: number, name: string): WatchEvent {
  const kv = Buffer.from(`${modRevision} ${name}`);
  return { key: Buffer.from(name), modRevision, deleted: false, kv, lease: 0n };
}

/** How many changes each revision from 11 on has. */
const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 30 });

function history(counts: readonly number[]): WatchEvent[][] {
  return counts.map((count, i) =>
    Array.from({ length: count }, (_, sub) => event(11 + i, `${sub}`)),
  );
}

/** Messages with these revisions: cut into fragments anywhere, and ended only between revisions, as etcd does. */
function messages(revisions: readonly WatchEvent[][], cuts: readonly number[]): Message[] {
  const all = revisions.flatMap((events, i) =>
    events.map((each, sub) => ({ each, isEnd: sub === events.length - 1, at: i })),
  );
  const found: Message[] = [];
  let events: WatchEvent[] = [];
  for (const [i, { each, isEnd, at }] of all.entries()) {
    events.push(each);
    const cut = cuts[i % cuts.length] ?? 0;
    if (i < all.length - 1 && cut > 1) continue;
    found.push({ events, fragment: !(isEnd && (cut === 0 || at === revisions.length - 1)) });
    events = [];
  }
  return found;
}

const cuts = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 20 });

function take(groups: RevisionGroups, all: readonly Message[]) {
  return all.flatMap((message) => groups.add(message));
}

test("revisions come whole, however their events are split into messages", (t) => {
  fc.assert(
    fc.property(sizes, cuts, (counts, where) => {
      const revisions = history(counts);
      const whole = take(new RevisionGroups(10), messages(revisions, where));
      t.deepEqual(
        whole.map(({ events }) => events),
        revisions,
      );
      t.true(whole.every(({ isRepeat, revision }, i) => !isRepeat && revision === 11 + i));
    }),
  );
});

test("revisions that are left out are a hole, whatever comes before and after", (t) => {
  fc.assert(
    fc.property(sizes, cuts, fc.nat(), fc.nat(), (counts, where, at, length) => {
      const revisions = history([...counts, 1]);
      const first = at % (revisions.length - 1);
      const lost = 1 + (length % (revisions.length - 1 - first));
      const left = revisions.toSpliced(first, lost);
      const groups = new RevisionGroups(10);
      const error = t.throws(() => take(groups, messages(left, where)), { instanceOf: WatchEnded });
      t.is(error.reason, "hole");
      t.deepEqual(error.hole, { from: 11 + first, to: 10 + first + lost });
    }),
  );
});

test("revisions that come again are repeats, and those after them are not", (t) => {
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(), (counts, at, length) => {
      const revisions = history(counts);
      const start = at % revisions.length;
      const end = start + 1 + (length % (revisions.length - start));
      const sent = [...revisions.slice(0, end), ...revisions.slice(start)];
      const groups = take(
        new RevisionGroups(10),
        sent.map((events) => ({ events, fragment: false })),
      );
      const isNew = groups.filter(({ isRepeat }) => !isRepeat);
      t.deepEqual(
        isNew.map(({ events }) => events),
        revisions,
      );
      t.is(groups.length - isNew.length, end - start);
    }),
  );
});

test("a revision with more bytes than memory should hold ends the watch", (t) => {
  const groups = new RevisionGroups(10, 1000);
  const events = Array.from({ length: 10 }, (_, i) => event(11, `${i}`));
  for (let i = 0; i < 5; i++) t.deepEqual(groups.add({ events, fragment: true }), []);
  const error = t.throws(() => groups.add({ events, fragment: true }), { instanceOf: WatchEnded });
  t.is(error.reason, "too-large");
});

test("a change without a revision is a malformed answer", (t) => {
  const groups = new RevisionGroups(10);
  t.throws(() => groups.add({ events: [event(0, "none")], fragment: false }), {
    code: "ETCD_PROTOCOL",
  });
});
