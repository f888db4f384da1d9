import { BackupKeys, type PassphraseKeys } from "../../src/archive/crypto/backup-keys.js";
import { changesDigest } from "../../src/archive/delta/changes-digest.js";
import { ArchiveError } from "../../src/archive/errors.js";
import type { SealPool } from "../../src/archive/seal/seal-pool.js";
import { deltaName } from "../../src/snapshots/streams/delta-name.js";
import { listStreams } from "../../src/snapshots/streams/list-streams.js";
import { LogError } from "../../src/snapshots/streams/log-errors.js";
import { readLog } from "../../src/snapshots/streams/log-reader.js";
import { revision, revisions, type SampleStream } from "../support/archive/deltas.js";
import { joinSealed, splitSealed } from "../support/archive/forge.js";
import { DeltaForger } from "../support/archive/forged-deltas.js";
import { mutated } from "../support/archive/mutations.js";
import { CHEAP_KDF } from "../support/archive/sample.js";
import { lineOf } from "../support/archive/stream-fixtures.js";
import { MemoryStore } from "../support/stores/memory-store.js";
import { keyOf, putStream } from "../support/stores/stored-log.js";
import type { SeededChoice } from "../support/seeded-choice.js";

const FIRST = 5;
const LAST = 40;

/** A log of two streams that is corrupted and read again and again. */
export class FuzzedLog {
  readonly #passphrase: PassphraseKeys;
  readonly #pool: SealPool;
  readonly #streams: readonly SampleStream[];
  readonly #files: ReadonlyMap<string, Buffer>;
  readonly #good = revisions(FIRST, LAST).map(lineOf);

  private constructor(
    passphrase: PassphraseKeys,
    pool: SealPool,
    streams: readonly SampleStream[],
    store: MemoryStore,
  ) {
    this.#passphrase = passphrase;
    this.#pool = pool;
    this.#streams = streams;
    this.#files = new Map([...store.objects].map(([key, { bytes }]) => [key, Buffer.from(bytes)]));
  }

  static async make(passphrase: PassphraseKeys, pool: SealPool): Promise<FuzzedLog> {
    const store = new MemoryStore();
    const history = (number: number) => revision(number);
    const keys = await BackupKeys.create(passphrase.forNew, CHEAP_KDF);
    const options = { keys, first: FIRST, lengths: [4, 3, 9, 2, 3], chunkBytes: 100 };
    const one = await putStream(pool, [store], history, options);
    const before = changesDigest(revision(25).changes);
    const like = await BackupKeys.create(passphrase.forNew, CHEAP_KDF, keys.slot);
    const more = { keys: like, first: 26, lengths: [5, 10], time: 2000, before, chunkBytes: 100 };
    const two = await putStream(pool, [store], history, more);
    return new FuzzedLog(passphrase, pool, [one, two], store);
  }

  /** The plaintext of a delta. */
  get seed(): Buffer {
    const [stream] = this.#streams;
    if (stream === undefined) return Buffer.of();
    const forger = new DeltaForger(stream.keys, stream.name);
    return forger.plain(forger.items(revisions(FIRST, FIRST + 8), null));
  }

  /** Corrupts files like a hostile store. Undefined when the outcome is right. */
  async store(choice: SeededChoice): Promise<string | undefined> {
    const files = new Map(this.#files);
    const how = this.#corrupt(files, choice);
    return await this.#outcome(how, files, ({ lines, error }) => {
      if (lines.some((line, i) => line !== this.#good[i])) {
        return "handed on what was never written";
      }
      if (error === undefined && lines.length !== this.#good.length) return "read less";
      return undefined;
    });
  }

  /** Seals corrupt plaintext, like an attacker with the keys: any outcome but an untyped error is right. */
  async forge(choice: SeededChoice): Promise<string | undefined> {
    const stream = choice.of(this.#streams);
    const number = choice.below(stream.sealed.length);
    const { first, last } = stream.named(number);
    const forger = new DeltaForger(stream.keys, stream.name);
    const before = changesDigest(revision(first - 1).changes);
    const plain = forger.plain(forger.items(revisions(first, last), before));
    const { bytes, how } = mutated(plain, choice);
    const files = new Map(this.#files);
    files.set(keyOf(stream, number), forger.fileOf(number, bytes));
    return await this.#outcome(`forged delta ${number} ${how}`, files, () => undefined);
  }

  #corrupt(files: Map<string, Buffer>, choice: SeededChoice): string {
    const keys = [...files.keys()];
    const [key, other] = [choice.of(keys), choice.of(keys)];
    const bytes = files.get(key) ?? Buffer.of();
    switch (choice.below(7)) {
      case 0:
        files.delete(key);
        return `${key} removed`;
      case 1:
        files.set(key, files.get(other) ?? Buffer.of());
        return `${other} as ${key}`;
      case 2: {
        const stream = choice.of(this.#streams);
        const named = stream.named(choice.below(stream.sealed.length));
        const fact = choice.of(["number", "first", "last", "time"] as const);
        const name = deltaName({ ...named, [fact]: choice.below(50) });
        files.set(`${stream.name}/${name}`, bytes);
        return `${key} also as ${name}`;
      }
      case 3: {
        const { header, chunks } = splitSealed(bytes);
        const [i, j] = [choice.below(chunks.length), choice.below(chunks.length)];
        const [a, b] = [chunks[i] ?? Buffer.of(), chunks[j] ?? Buffer.of()];
        files.set(key, joinSealed({ header, chunks: chunks.with(i, b).with(j, a) }));
        return `${key} chunks ${i} and ${j} swapped`;
      }
      default: {
        const change = mutated(bytes, choice);
        files.set(key, change.bytes);
        return `${key} ${change.how}`;
      }
    }
  }

  async #outcome(
    how: string,
    files: ReadonlyMap<string, Buffer>,
    judge: (read: { lines: string[]; error: Error | undefined }) => string | undefined,
  ): Promise<string | undefined> {
    const store = new MemoryStore();
    for (const [key, bytes] of files) {
      store.objects.set(key, { bytes, modified: new Date(0), tag: "" });
    }
    const lines: string[] = [];
    const read = async (): Promise<Error | undefined> => {
      const { signal } = new AbortController();
      try {
        const streams = await listStreams(store, signal);
        const range = { after: FIRST - 1, upTo: LAST };
        const options = { ...range, passphrase: this.#passphrase, pool: this.#pool, signal };
        for await (const batch of readLog([{ store, streams }], options)) {
          lines.push(...batch.map(lineOf));
        }
        return undefined;
      } catch (error) {
        if (error instanceof ArchiveError || error instanceof LogError) return error;
        throw error;
      }
    };
    try {
      const wrong = judge({ lines, error: await read() });
      return wrong === undefined ? undefined : `log, ${how}: ${wrong}`;
    } catch (error) {
      return `log, ${how}: ${error instanceof Error ? error.stack : error}`;
    }
  }
}
