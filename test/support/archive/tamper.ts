import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ExecutionContext } from "ava";
import type { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import type { ArchiveErrorCode } from "../../../src/archive/errors.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import { type Reading, readAll } from "./judge.js";
import { type SampleContents, type SampleOptions, writeSample } from "./sample.js";
import { newFolder } from "../folders.js";

/** A backup that is changed, read and restored, many times. */
export class TamperedBackup {
  readonly folder: string;
  readonly passphrase: PassphraseKeys;
  readonly good: Reading;
  readonly #pool: SealPool;

  private constructor(folder: string, passphrase: PassphraseKeys, good: Reading, pool: SealPool) {
    this.folder = folder;
    this.passphrase = passphrase;
    this.good = good;
    this.#pool = pool;
  }

  static async make(
    t: ExecutionContext,
    contents: SampleContents,
    options: SampleOptions & { passphrase: PassphraseKeys },
  ): Promise<TamperedBackup> {
    const folder = newFolder();
    const pool = new SealPool(1);
    t.teardown(() => pool.close());
    await writeSample(folder, contents, options);
    const good = await readAll(folder, options.passphrase, pool);
    if (good.error !== undefined) throw good.error;
    return new TamperedBackup(folder, options.passphrase, good, pool);
  }

  bytesOf(name: string): Buffer {
    return readFileSync(join(this.folder, name));
  }

  /** Reads the backup with `changed` in the place of these files, then restores them. */
  async readWith(changed: Readonly<Record<string, Buffer>>): Promise<Reading> {
    const before = Object.keys(changed).map((name) => [name, this.bytesOf(name)] as const);
    for (const [name, bytes] of Object.entries(changed)) {
      writeFileSync(join(this.folder, name), bytes);
    }
    try {
      return await readAll(this.folder, this.passphrase, this.#pool);
    } finally {
      for (const [name, bytes] of before) writeFileSync(join(this.folder, name), bytes);
    }
  }

  /** Asserts that the change is rejected with one of `codes`, after only unchanged items. */
  async refuses(
    t: ExecutionContext,
    changed: Readonly<Record<string, Buffer>>,
    codes: readonly ArchiveErrorCode[],
    what: string,
  ): Promise<Reading> {
    const reading = await this.readWith(changed);
    const { error, lines } = reading;
    if (error === undefined) t.fail(`${what}: read without an error`);
    else if (!codes.includes(error.code)) t.fail(`${what}: ${error.code} ${error.message}`);
    const wrong = lines.findIndex((line, i) => line !== this.good.lines[i]);
    if (wrong >= 0) t.fail(`${what}: handed on ${lines[wrong]}`);
    return reading;
  }
}
