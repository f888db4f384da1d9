import type { ArchivedPair, ObjectAttributes } from "../../archive/records.js";
import { BackupToolError } from "../../errors.js";
import type { CephPool } from "../../sources/ceph/pool.js";
import type { ObjectName } from "../../sources/ceph/types.js";
import { Channel } from "../../flow/channel.js";

/**
 * An object that is written in pieces while the archive is read: pages of its omap, then its time, then its
 * data. Holds a page and a piece at most.
 */
export class LargeObjectRestore {
  readonly #pages = new Channel<readonly ArchivedPair[]>();
  readonly #data = new Channel<Uint8Array[]>();
  readonly #written: Promise<void>;
  #setMtime: (ns: bigint) => void = () => {};

  constructor(
    pool: CephPool,
    name: ObjectName,
    { xattrs, omapHeader, omap }: ObjectAttributes,
    signal: AbortSignal,
  ) {
    const mtime = new Promise<bigint>((resolve) => {
      this.#setMtime = resolve;
    });
    const pages = following(omap, this.#pages);
    const data = this.#data;
    this.#written = pool.writeLarge(name, { mtime, xattrs, omapHeader, omap: pages, data, signal });
    this.#written.catch((error: unknown) => this.#fail(error));
  }

  /** A further page of the omap. Resolves when the one before is on its way. */
  page(pairs: readonly ArchivedPair[]): Promise<void> {
    return this.#pages.send(pairs);
  }

  /** The omap is complete. */
  endPages(mtime: bigint): void {
    this.#setMtime(mtime);
    this.#pages.end();
  }

  piece(bytes: Uint8Array): Promise<void> {
    return this.#data.send([bytes]);
  }

  /** Resolves when the cluster has all of it. */
  end(): Promise<void> {
    this.#data.end();
    return this.#written;
  }

  /** Stops half-way; what was written stays. */
  async giveUp(): Promise<void> {
    this.#fail(new BackupToolError("GIVEN_UP", "the rest of the object does not come"));
    await this.#written.catch(() => {});
  }

  #fail(error: unknown): void {
    this.#pages.fail(error);
    this.#data.fail(error);
    this.#setMtime(0n);
  }
}

async function* following<T>(first: T, rest: AsyncIterable<T>): AsyncGenerator<T> {
  yield first;
  yield* rest;
}
