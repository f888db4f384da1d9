import { BackupKeys, PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { changesDigest } from "../../../src/archive/delta/changes-digest.js";
import { DeltaWriter } from "../../../src/archive/delta/delta-writer.js";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import type { OperationContext } from "../../../src/operations/context.js";
import { createBackup } from "../../../src/operations/create/create.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { streamName } from "../../../src/snapshots/streams/stream-name.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import { CHEAP_KDF } from "../archive/sample.js";
import { cephOptions } from "../ceph/load.js";
import { newFolder } from "../folders.js";
import { PASSPHRASE } from "../program/backuptool.js";
import { SeededChoice } from "../seeded-choice.js";
import type { EtcdServer } from "../servers/etcd-server.js";
import { RandomHistory } from "../servers/random-history.js";

/** An etcd that changes at random, and whose history is kept in a store: raw snapshots, and deltas of what a watch reported. */
export class RecordedEtcd {
  readonly etcd: EtcdServer;
  readonly history: RandomHistory;
  readonly folder: string;
  readonly store: LocalStore;
  /** What operations reported. */
  readonly events: OperationEvent[] = [];
  /** When each revision was seen, by what the deltas say, ms since 1970. */
  readonly seenMs = new Map<number, number>();
  /** Keys of the files of deltas, in the order in which they were written. */
  readonly deltas: string[] = [];
  readonly #pool = new SealPool();
  #stream: { readonly writer: DeltaWriter; readonly name: string } | undefined;
  #covered = 1;
  #coveredMs = Date.now();
  #before: Uint8Array | null = null;

  /** @param folder of the store */
  constructor(etcd: EtcdServer, seed: string, folder = newFolder()) {
    this.etcd = etcd;
    this.folder = folder;
    this.history = new RandomHistory(etcd, new SeededChoice(seed), { mostLarge: 1 });
    this.store = new LocalStore({ provider: "Local", container: this.folder, prefix: "" });
  }

  get url(): string {
    return `file://${this.folder}`;
  }

  get location() {
    const store = { provider: "Local", container: this.folder, prefix: "" } as const;
    return { kind: "snapshot", stores: [store], snapshot: "latest" } as const;
  }

  get context(): OperationContext {
    return {
      signal: new AbortController().signal,
      report: (event) => this.events.push(event),
      passphrase: async () => Buffer.from(PASSPHRASE),
    };
  }

  /** Begins a stream of deltas with the next flush. */
  beginStream(): void {
    this.#stream = undefined;
  }

  /**
   * Writes what has changed as one delta; nothing where nothing has. Its revisions get times between the last flush and now,
   * in their order.
   *
   * @param written what a writer with a fault writes instead of a revision
   */
  async flush({
    compactRevision,
    written = (revision) => revision,
  }: {
    readonly compactRevision: number;
    readonly written?: (revision: EtcdRevision) => EtcdRevision;
  }): Promise<void> {
    const upTo = await this.etcd.revision();
    const changed = await this.history.revisions(this.#covered, upTo);
    const first = changed[0]?.revision;
    if (first === undefined) return;
    const now = Date.now();
    const each = (now - this.#coveredMs) / changed.length;
    const revisions = changed.map((one, i): EtcdRevision => {
      const seenMs = Math.floor(this.#coveredMs + each * (i + 1));
      this.seenMs.set(one.revision, seenMs);
      return written({ ...one, seenMs });
    });
    this.#stream ??= await this.#newStream(first);
    const { writer, name } = this.#stream;
    const sealed = await writer.seal(revisions, compactRevision);
    const key = `${name}/${deltaName(sealed)}`;
    await this.store.put(key, sealed.bytes);
    this.deltas.push(key);
    this.#before = changesDigest(revisions.at(-1)?.changes ?? []);
    this.#covered = upTo;
    this.#coveredMs = now;
  }

  /** Goes on as if what has changed since the last flush had been lost. */
  async lose(): Promise<void> {
    this.#covered = await this.etcd.revision();
    this.#coveredMs = Date.now();
    this.#before = null;
    this.#stream = undefined;
  }

  /** Makes a full backup with a raw snapshot, and these pools of Ceph. Resolves with its name. */
  async base(
    etcdMode: "raw" | "both" = "raw",
    includePools: readonly string[] = [],
  ): Promise<string> {
    const config = { provider: "Local", container: this.folder, prefix: "" } as const;
    const before = this.events.length;
    await createBackup(
      {
        store: { config, minChunkBytes: 5 << 20, maxParallelChunks: 2 },
        etcd: { endpoints: [`http://${this.etcd.endpoint}`], timeoutMs: 30_000 },
        etcdMode,
        spoolDir: newFolder(),
        ...(includePools.length === 0 ? {} : { ceph: cephOptions() }),
        includePools: [...includePools],
        skipPools: [],
        kdf: CHEAP_KDF,
        keepGoing: false,
        archiveSize: 2 ** 30,
        compressionLevel: 1,
        toolVersion: "test",
      },
      this.context,
    );
    const stored = this.events.slice(before).find(({ type }) => type === "snapshot-stored");
    if (stored?.type !== "snapshot-stored") throw new Error("no snapshot was stored");
    return stored.snapshot;
  }

  /** Ends the recording; the store stays. */
  async close(): Promise<void> {
    this.history.close();
    await this.#pool.close();
  }

  async #newStream(firstRevision: number) {
    const passphrase = new PassphraseKeys(Buffer.from(PASSPHRASE));
    const keys = await BackupKeys.create(passphrase.forNew, CHEAP_KDF);
    const id = Buffer.from(keys.backupId).toString("hex");
    const { text: name } = streamName({
      firstRevision,
      time: Math.floor(Date.now() / 1000),
      id,
    });
    // Too large for a number of JSON.
    const status = await this.etcd.ctl("endpoint", "status", "-w", "json");
    const clusterId = BigInt(/"cluster_id":(\d+)/.exec(status)?.[1] ?? 0).toString(16);
    const before = this.#before;
    const facts = { keys, pool: this.#pool, stream: name, clusterId, firstRevision, before };
    return { writer: new DeltaWriter(facts), name };
  }
}
