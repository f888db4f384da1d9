import { randomBytes } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { BackupToolError } from "../../../src/errors.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import { copyStreamFiles } from "../../../src/replication/copy/stream.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { newFolder } from "../../support/folders.js";
import {
  forgedDelta,
  type ForgedStream,
  forgeStream,
} from "../../support/stores/forged-streams.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const RETRIES = { maxRetries: 1, backoffMs: 0 };

function retrying(store: SnapStore): SnapStore {
  return new RetryingStore(store, copyRetryPolicy(RETRIES));
}

async function copy(source: SnapStore, target: SnapStore, { name }: ForgedStream) {
  return await copyStreamFiles(retrying(source), retrying(target), name, {
    signal,
    retries: RETRIES,
    maxParallelCopies: 3,
  });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    return error.code;
  }
}

/** Without the pins of interrupted copies, which end by themselves. */
function contentOf({ objects }: MemoryStore): Map<string, string> {
  return new Map(
    [...objects.keys()]
      .filter((key) => !key.startsWith("."))
      .sort()
      .map((key) => {
        return [key, Buffer.from(objects.get(key)?.bytes ?? []).toString("hex")];
      }),
  );
}

function keyOf({ name, deltas }: ForgedStream, number: number): string {
  const delta = deltas[number];
  return `${name.text}/${delta && deltaName(delta)}`;
}

test("a stream is copied byte for byte, with its base; a second copy sends nothing", async (t) => {
  const source = new MemoryStore();
  const target = new MemoryStore();
  const stream = await forgeStream(source, {
    first: 10,
    time: 1000,
    base: 300,
    lengths: [1, 2, 3],
  });
  const result = await copy(source, target, stream);
  t.deepEqual(contentOf(target), contentOf(source));
  t.is(result.outcome, "copied");
  t.is(result.copiedFiles, 3 + 3);
  const watched = new SwitchableStore(target);
  t.is((await copy(source, watched, stream)).outcome, "present");
  t.deepEqual(watched.keysOf("put"), []);
});

test("a stream that grew gets its new deltas alone, in the order of their numbers", async (t) => {
  const source = new MemoryStore();
  const target = new MemoryStore();
  const stream = await forgeStream(source, { first: 10, time: 1000, lengths: [1, 2, 3, 4, 5] });
  for (const number of [0, 1]) {
    const key = keyOf(stream, number);
    await target.put(key, source.objects.get(key)?.bytes ?? Buffer.of());
  }
  const watched = new SwitchableStore(target);
  const result = await copy(source, watched, stream);
  t.is(result.outcome, "copied");
  t.deepEqual(
    watched.keysOf("put"),
    [2, 3, 4].map((number) => keyOf(stream, number)),
  );
  t.deepEqual(contentOf(target), contentOf(source));
});

test("large deltas are copied between folders, whose stores keep no digests", async (t) => {
  const stores = [newFolder(), newFolder()].map(
    (container) => new LocalStore({ provider: "Local", container, prefix: "" }),
  );
  const [source, target] = stores as [LocalStore, LocalStore];
  const stream = await forgeStream(source, { first: 1, time: 1000, lengths: [1], bytes: 12 << 20 });
  await copy(source, target, stream);
  const [one, other] = await Promise.all(
    [source, target].map(async (store) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of store.get(keyOf(stream, 0))) pieces.push(piece);
      return Buffer.concat(pieces);
    }),
  );
  t.true(one?.equals(other ?? Buffer.of()));
});

test("what a read spoils is not stored", async (t) => {
  const source = new MemoryStore();
  const target = new MemoryStore();
  const stream = await forgeStream(source, { first: 1, time: 1000, lengths: [1] });
  const spoiled = new SwitchableStore(source);
  let reads = 0;
  spoiled.spoil = (key, piece) => {
    // Every other read of the delta.
    if (key !== keyOf(stream, 0) || reads++ % 2 === 1) return piece;
    const copied = Buffer.from(piece);
    copied[copied.length - 1] = (copied.at(-1) ?? 0) ^ 1;
    return copied;
  };
  t.is(await codeOf(copy(spoiled, target, stream)), "COPY_MISMATCH");
  t.is(target.objects.size, 0);
});

test("a file of the source that is no delta of this stream and number is not copied; the others are", async (t) => {
  const wrong = [
    () => randomBytes(200),
    ({ id }: ForgedStream) => forgedDelta(id, 0, randomBytes(50)),
    () => forgedDelta("f".repeat(32), 1, randomBytes(50)),
    () => Buffer.of(),
  ];
  for (const bytesOf of wrong) {
    const source = new MemoryStore();
    const target = new MemoryStore();
    const stream = await forgeStream(source, { first: 1, time: 1000, id: "0".repeat(32) });
    await source.put(keyOf(stream, 1), bytesOf(stream));
    t.is(await codeOf(copy(source, target, stream)), "DAMAGED");
    t.deepEqual([...target.objects.keys()], [keyOf(stream, 0), keyOf(stream, 2)]);
  }
});

test("another delta in the target is kept, whether its size, its name or only its content differs", async (t) => {
  const others = [
    (stream: ForgedStream) =>
      [keyOf(stream, 1), forgedDelta(stream.id, 1, randomBytes(99))] as const,
    (stream: ForgedStream) =>
      [
        `${stream.name.text}/${deltaName({ number: 1, first: 2, last: 2, time: 7 })}`,
        forgedDelta(stream.id, 1, randomBytes(100)),
      ] as const,
  ];
  for (const otherOf of others) {
    const source = new MemoryStore();
    const target = new MemoryStore();
    const stream = await forgeStream(source, { first: 1, time: 1000 });
    const [key, bytes] = otherOf(stream);
    await target.put(key, bytes);
    t.is(await codeOf(copy(source, target, stream)), "SNAPSHOT_CONFLICT");
    t.deepEqual(
      [...target.objects.keys()].sort(),
      [keyOf(stream, 0), key, keyOf(stream, 2)].sort(),
    );
    t.deepEqual(Buffer.from(target.objects.get(key)?.bytes ?? []), bytes);
  }
  // Of the same name and size, which comes while the copy is under way.
  const source = new MemoryStore();
  const target = new MemoryStore();
  const stream = await forgeStream(source, { first: 1, time: 1000 });
  const late = forgedDelta(stream.id, 1, randomBytes(100));
  const watched = new SwitchableStore(target);
  watched.before = async (call, key) => {
    if (call === "put" && key === keyOf(stream, 1)) await target.put(key, late).catch(() => {});
  };
  t.is(await codeOf(copy(source, watched, stream)), "SNAPSHOT_CONFLICT");
  t.deepEqual(Buffer.from(target.objects.get(keyOf(stream, 1))?.bytes ?? []), late);
});

test("a stream whose deltas contradict each other is not copied", async (t) => {
  const source = new MemoryStore();
  const target = new MemoryStore();
  const stream = await forgeStream(source, { first: 1, time: 1000 });
  const twice = deltaName({ number: 1, first: 2, last: 3, time: 1 });
  await source.put(`${stream.name.text}/${twice}`, forgedDelta(stream.id, 1, randomBytes(9)));
  t.is(await codeOf(copy(source, target, stream)), "DAMAGED");
  t.is(target.objects.size, 0);
});

test("another base in the target is kept; its files are repaired from the same one; an unfinished one is left out", async (t) => {
  const source = new MemoryStore();
  const target = new MemoryStore();
  const id = "1".repeat(32);
  const stream = await forgeStream(source, { first: 5, time: 1000, id, base: 50 });
  await forgeStream(target, { first: 5, time: 1000, id, base: 60, lengths: [] });
  const before = contentOf(target);
  t.is(await codeOf(copy(source, target, stream)), "SNAPSHOT_CONFLICT");
  for (const [key, bytes] of before) t.is(contentOf(target).get(key), bytes);

  const damaged = new MemoryStore();
  await copy(source, damaged, stream);
  await damaged.delete(`${stream.name.text}/INDEX.bin`);
  t.is((await copy(source, damaged, stream)).copiedFiles, 1);
  t.deepEqual(contentOf(damaged), contentOf(source));

  const writing = new MemoryStore();
  const unfinished = await forgeStream(writing, {
    first: 5,
    time: 1000,
    base: 50,
    unfinished: true,
  });
  const other = new MemoryStore();
  t.is((await copy(writing, other, unfinished)).copiedFiles, 3);
  t.deepEqual(
    [...other.objects.keys()],
    [0, 1, 2].map((number) => keyOf(unfinished, number)),
  );
});

test("a folder with another program's file is left alone, and so is one of no stream", async (t) => {
  const source = new MemoryStore();
  const target = new MemoryStore();
  const stream = await forgeStream(source, { first: 1, time: 1000 });
  await target.put(`${stream.name.text}/segment`, Buffer.of(1));
  t.is(await codeOf(copy(source, target, stream)), "FOREIGN_FILE");
  const named = new MemoryStore();
  await named.put(stream.name.text, Buffer.of(1));
  t.is(await codeOf(copy(source, named, stream)), "FOREIGN_FILE");
  t.is(await codeOf(copy(new MemoryStore(), target, stream)), "NO_SNAPSHOT");
  t.deepEqual([...target.objects.keys(), ...named.objects.keys()].length, 2);
});

test("copies that fail at any call leave nothing that is not the source's, and the next brings the rest", async (t) => {
  let failures = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 }),
      fc.option(fc.integer({ min: 1, max: 400 }), { nil: undefined }),
      fc.array(fc.record({ share: fc.constantFrom(0, 30, 60), seed: fc.nat() }), { maxLength: 4 }),
      fc.array(fc.nat(11), { maxLength: 3 }),
      async (lengths, base, rounds, foreign) => {
        if (lengths.length === 0 && base === undefined) return;
        const source = new MemoryStore();
        const target = new MemoryStore();
        const stream = await forgeStream(source, {
          first: 7,
          time: 1000,
          lengths,
          base: base ?? 0,
        });
        if (base === undefined) {
          for (const key of source.objects.keys())
            if (!key.includes("DELTA")) await source.delete(key);
        }
        const kept = new Map<string, string>();
        for (const number of foreign.filter((one) => one < lengths.length)) {
          const bytes = forgedDelta(stream.id, number, randomBytes(3));
          await target.put(keyOf(stream, number), bytes);
          kept.set(keyOf(stream, number), bytes.toString("hex"));
        }
        const check = (): void => {
          for (const [key, bytes] of contentOf(target)) {
            const own = kept.get(key) ?? contentOf(source).get(key);
            if (own !== bytes) throw new Error(`${key} is neither the target's nor the source's`);
          }
          for (const key of kept.keys())
            if (!target.objects.has(key)) throw new Error(`${key} is lost`);
        };
        for (const { share, seed } of rounds) {
          const choose = random(seed);
          const faulty = [source, target].map((store) => {
            const switchable = new SwitchableStore(store);
            switchable.before = () => {
              if (choose(100) >= share) return;
              throw new StoreError("STORE_TRANSIENT", "as the test wants", { store: store.name });
            };
            return switchable;
          });
          const [from, to] = faulty as [SwitchableStore, SwitchableStore];
          if ((await codeOf(copy(from, to, stream))) === "STORE_TRANSIENT") failures++;
          check();
        }
        const end = await codeOf(copy(source, target, stream));
        t.is(end, kept.size === 0 ? "done" : "SNAPSHOT_CONFLICT");
        check();
        t.is(contentOf(target).size, source.objects.size);
      },
    ),
    { numRuns: Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 60), includeErrorInReport: true },
  );
  t.true(failures > 0);
});

/** Numbers below a limit, by seed. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
