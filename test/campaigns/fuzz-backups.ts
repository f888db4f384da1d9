import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "cborg";
import type { BackupKeys, PassphraseKeys } from "../../src/archive/crypto/backup-keys.js";
import { archiveName, FileType, INDEX_NAME } from "../../src/archive/format.js";
import { encodeMetadata, type Metadata } from "../../src/archive/metadata.js";
import type { SealPool } from "../../src/archive/seal/seal-pool.js";
import { Forger, joinSealed, splitSealed } from "../support/archive/forge.js";
import { FULL_CONTENTS, noise } from "../support/archive/full-sample.js";
import { type Reading, readAll } from "../support/archive/judge.js";
import { mutated, mutatedValue } from "../support/archive/mutations.js";
import { type SampleContents, writeSample } from "../support/archive/sample.js";
import type { SeededChoice } from "../support/seeded-choice.js";
import { SEED_NAME, type Seeds } from "./fuzz-decoders.js";

const CONTENTS: SampleContents = {
  ...FULL_CONTENTS,
  snapshot: { mode: "both", bytes: noise("raw", 900), attempts: [noise("attempt", 40)] },
};

/** A small backup that is corrupted and restored again and again, and what a reader got from it when intact. */
export class FuzzedBackup {
  readonly #folder: string;
  readonly #passphrase: PassphraseKeys;
  readonly #pool: SealPool;
  readonly #keys: BackupKeys;
  readonly #metadata: Metadata;
  readonly #files: ReadonlyMap<string, Buffer>;
  readonly #good: Reading;
  readonly #plain: { readonly index: Buffer; readonly tars: readonly Buffer[] };

  private constructor(
    folder: string,
    passphrase: PassphraseKeys,
    pool: SealPool,
    sample: { keys: BackupKeys; metadata: Metadata },
    good: Reading,
    plain: { index: Buffer; tars: readonly Buffer[] },
  ) {
    this.#folder = folder;
    this.#passphrase = passphrase;
    this.#pool = pool;
    this.#keys = sample.keys;
    this.#metadata = sample.metadata;
    this.#good = good;
    this.#plain = plain;
    this.#files = new Map(
      readdirSync(folder).map((name) => [name, readFileSync(join(folder, name))]),
    );
  }

  static async make(
    folder: string,
    passphrase: PassphraseKeys,
    pool: SealPool,
  ): Promise<FuzzedBackup> {
    const options = { passphrase, chunkBytes: 700, archiveBytes: 3500, snapshot: SEED_NAME.text };
    const sample = await writeSample(folder, CONTENTS, options);
    const good = await readAll(folder, passphrase, pool);
    if (good.error !== undefined) throw good.error;
    const forger = new Forger(folder, sample.keys, sample.metadata);
    const open = (type: FileType, number: number, name: string) =>
      forger.open(type, number, readFileSync(join(folder, name)));
    const archives = sample.metadata.files.length - 1;
    const tars = Array.from({ length: archives }, (_, number) =>
      open(FileType.archive, number, archiveName(number)),
    );
    const index = open(FileType.index, 0, INDEX_NAME);
    return new FuzzedBackup(folder, passphrase, pool, sample, good, { index, tars });
  }

  get seeds(): Omit<Seeds, "delta"> {
    const file = (name: string) => this.#files.get(name) ?? Buffer.alloc(0);
    const { index, tars } = this.#plain;
    return {
      header: file("METADATA.bin"),
      manifest: file("MANIFEST.json"),
      metadata: Buffer.from(encodeMetadata(this.#metadata)),
      index,
      tar: tars[0] ?? Buffer.alloc(0),
    };
  }

  /** Corrupts files like a hostile store. Undefined when the outcome is right. */
  async store(choice: SeededChoice, twin: FuzzedBackup): Promise<string | undefined> {
    const how = this.#corrupt(choice, twin);
    return this.#outcome(how, ({ lines, error }) => {
      const same = lines.every((line, i) => line === this.#good.lines[i]);
      if (!same) return "handed on what was never written";
      if (error === undefined && lines.length !== this.#good.lines.length) return "read less";
      return undefined;
    });
  }

  /** Seals corrupt plaintext, like an attacker with the keys: any outcome but an untyped error is right. */
  async forge(choice: SeededChoice): Promise<string | undefined> {
    const forger = new Forger(this.#folder, this.#keys, this.#metadata);
    const { index, tars } = this.#plain;
    if (choice.below(4) === 0) {
      await forger.setMetadataPlain(Buffer.from(encode(mutatedValue(this.#metadata, choice))));
      return this.#outcome("facts of another shape", () => undefined);
    }
    const part = choice.of(["metadata", "index", "archive"] as const);
    const number = choice.below(tars.length);
    const plain = { metadata: this.seeds.metadata, index, archive: tars[number] as Buffer }[part];
    const { bytes, how } = mutated(plain, choice);
    if (part === "metadata") await forger.setMetadataPlain(bytes);
    else if (part === "index") await forger.replaceIndex(bytes);
    else await forger.replaceArchive(archiveName(number), number, bytes);
    return this.#outcome(`${part} ${how}`, () => undefined);
  }

  async #outcome(
    how: string,
    judge: (reading: Reading) => string | undefined,
  ): Promise<string | undefined> {
    try {
      const wrong = judge(await readAll(this.#folder, this.#passphrase, this.#pool));
      return wrong === undefined ? undefined : `${how}: ${wrong}`;
    } catch (error) {
      return `${how}: ${error instanceof Error ? error.stack : error}`;
    } finally {
      for (const [name, bytes] of this.#files) writeFileSync(join(this.#folder, name), bytes);
    }
  }

  #corrupt(choice: SeededChoice, twin: FuzzedBackup): string {
    const names = [...this.#files.keys()];
    const name = choice.of(names);
    const other = choice.of(names);
    const path = join(this.#folder, name);
    const bytes = this.#files.get(name) as Buffer;
    const from = choice.below(8);
    if (from === 0) {
      rmSync(path);
      return `${name} removed`;
    }
    if (from === 1) {
      writeFileSync(path, this.#files.get(other) as Buffer);
      return `${other} as ${name}`;
    }
    if (from === 2) {
      writeFileSync(path, twin.#files.get(name) as Buffer);
      return `${name} of another backup`;
    }
    if (from <= 4 && name !== "MANIFEST.json") {
      const { header, chunks } = splitSealed(bytes);
      const [i, j] = [choice.below(chunks.length), choice.below(chunks.length)];
      const [a, b] = [chunks[i] as Buffer, chunks[j] as Buffer];
      writeFileSync(path, joinSealed({ header, chunks: chunks.with(i, b).with(j, a) }));
      return `${name} chunks ${i} and ${j} swapped`;
    }
    const change = mutated(bytes, choice);
    writeFileSync(path, change.bytes);
    return `${name} ${change.how}`;
  }
}
