import { createHash } from "node:crypto";
import type { IRequestOp } from "etcd3";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import type { EtcdLease, EtcdRecord } from "../../../src/sources/etcd/types.js";
import type { SeededChoice } from "../seeded-choice.js";
import type { EtcdServer } from "./etcd-server.js";
import { WatchRecorder } from "./watch-recorder.js";

/** What a live etcd said of itself at one revision. */
export interface LiveState {
  readonly revision: number;
  readonly compactRevision: number;
  /** Of HashKV at the revision. */
  readonly hash: number;
  readonly records: readonly EtcdRecord[];
}

const LARGE_VALUE = 1_400_000;

/** Changes an etcd at random, and keeps what a watch reported and what etcd answered at moments between. */
export class RandomHistory {
  readonly server: EtcdServer;
  readonly granted = new Map<bigint, number>();
  readonly states: LiveState[] = [];
  readonly #choice: SeededChoice;
  readonly #watch: WatchRecorder;
  readonly #revoked = new Set<bigint>();
  readonly #mostLarge: number;
  #large = 0;
  #roles = 0;

  constructor(server: EtcdServer, choice: SeededChoice, { mostLarge = 3 } = {}) {
    this.server = server;
    this.#choice = choice;
    this.#mostLarge = mostLarge;
    this.#watch = new WatchRecorder(server.endpoint, 2);
  }

  close(): void {
    this.#watch.close();
  }

  async run(steps: number): Promise<void> {
    for (let i = 0; i < steps; i++) await this.#step();
  }

  /** What etcd says now. */
  async observe(): Promise<LiveState> {
    for (;;) {
      const { revision, records } = await recordsOf(this.server);
      const state = { revision, records, ...(await hashAt(this.server, revision)) };
      // A lease may have expired in between.
      if ((await this.server.revision()) !== revision) continue;
      this.states.push(state);
      return state;
    }
  }

  /** What the watch reported of the revisions after `after`, up to `upTo`. */
  async revisions(after: number, upTo: number): Promise<EtcdRevision[]> {
    await this.#watch.reach(upTo);
    const named = new Set<bigint>();
    const revisions: EtcdRevision[] = [];
    for (let revision = after + 1; revision <= upTo; revision++) {
      const changes = this.#watch.changes.get(revision);
      if (changes === undefined) throw new Error(`the watch has no revision ${revision}`);
      const leases: EtcdLease[] = [];
      for (const { kv } of changes) {
        for (const [id, grantedTtl] of this.granted) {
          if (named.has(id) || !Buffer.from(kv).includes(leaseField(id))) continue;
          named.add(id);
          leases.push({ id, grantedTtl });
        }
      }
      revisions.push({ revision, seenMs: revision, changes, leases });
    }
    return revisions;
  }

  async #step(): Promise<void> {
    const { client } = this.server;
    const kind = this.#choice.below(100);
    if (kind < 45) await client.kv.put(this.#put(true));
    else if (kind < 60) await client.kv.deleteRange(this.#deletion());
    else if (kind < 84) await this.#transaction();
    else if (kind < 90) await this.#grant(this.#choice.of([1, 60, 3600, 86_400]));
    else if (kind < 93) await this.#revoke();
    else if (kind < 96) await this.#compact();
    else if (kind < 97) await this.server.ctl("defrag");
    else if (kind < 98) await this.#addUser();
    else await this.#burst();
  }

  #put(mayBeLarge: boolean) {
    const living = [...this.granted.keys()].filter(
      (id) => !this.#revoked.has(id) && !this.#isShort(id),
    );
    const lease = living.length > 0 && this.#choice.below(3) === 0 ? this.#choice.of(living) : 0n;
    return { key: this.#key(), value: this.#value(mayBeLarge), lease: `${lease}` };
  }

  #deletion() {
    const key = this.#key();
    return this.#choice.below(3) === 0
      ? { key, range_end: Buffer.concat([key, Buffer.of(255)]) }
      : { key };
  }

  async #transaction(): Promise<void> {
    const success: IRequestOp[] = [];
    const used = new Set<string>();
    for (let i = this.#choice.below(8); i >= 0; i--) {
      // A request has 1.5 MiB at most.
      const put = this.#put(false);
      if (used.has(put.key.toString("hex"))) continue;
      used.add(put.key.toString("hex"));
      // etcd rejects a transaction that puts a key twice, but not one that deletes it and puts it.
      if (this.#choice.below(4) === 0) success.push({ request_delete_range: { key: put.key } });
      if (this.#choice.below(3) > 0) success.push({ request_put: put });
    }
    try {
      await this.server.client.kv.txn({ success });
    } catch (error) {
      if (!/duplicate key/i.test(`${error}`)) throw error;
    }
  }

  async #grant(seconds: number): Promise<void> {
    const { ID } = await this.server.client.leaseClient.leaseGrant({ TTL: seconds });
    const id = BigInt(ID);
    this.granted.set(id, seconds);
    if (seconds > 1) return;
    await this.server.client.kv.put({ key: this.#key(), value: this.#value(true), lease: ID });
  }

  #isShort(id: bigint): boolean {
    return this.granted.get(id) === 1;
  }

  async #revoke(): Promise<void> {
    const living = [...this.granted.keys()].filter(
      (id) => !this.#revoked.has(id) && !this.#isShort(id),
    );
    if (living.length === 0) return;
    const id = this.#choice.of(living);
    this.#revoked.add(id);
    await this.server.client.leaseClient.leaseRevoke({ ID: `${id}` });
  }

  async #compact(): Promise<void> {
    const revision = await this.server.revision();
    const back = this.#choice.below(40);
    try {
      await this.server.client.kv.compact({ revision: `${revision - back}`, physical: true });
    } catch (error) {
      if (!/compacted/i.test(`${error}`)) throw error;
    }
  }

  async #addUser(): Promise<void> {
    const name = `n${this.#roles++}`;
    await this.server.ctl("role", "add", name);
    await this.server.ctl("role", "grant-permission", name, "readwrite", name);
    await this.server.ctlWith("", "user", "add", `${name}:secret`);
  }

  /** Many small changes: several pages. */
  async #burst(): Promise<void> {
    for (let i = 0; i < 60; i++) {
      await this.server.client.kv.put({ key: this.#key(), value: this.#choice.bytes(100) });
    }
  }

  #key(): Buffer {
    const kind = this.#choice.below(10);
    if (kind < 7) return Buffer.from(`key/${this.#choice.below(30)}`);
    if (kind < 9)
      return Buffer.concat([Buffer.of(this.#choice.of([0, 1, 128, 255])), this.#choice.bytes(3)]);
    return Buffer.from(`${"long/".repeat(60)}${this.#choice.below(5)}`);
  }

  #value(mayBeLarge: boolean): Buffer {
    const kind = this.#choice.below(40);
    if (kind === 0 && mayBeLarge && this.#large++ < this.#mostLarge)
      return Buffer.alloc(LARGE_VALUE).fill(this.#choice.bytes(97));
    if (kind < 4) return Buffer.alloc(0);
    if (kind < 8) return Buffer.alloc(5000).fill(this.#choice.bytes(7));
    return this.#choice.bytes(this.#choice.below(200));
  }
}

/** Field 6 of a message `KeyValue`. */
function leaseField(id: bigint): Buffer {
  const bytes = [6 << 3];
  let rest = BigInt.asUintN(64, id);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

/** All records, and the revision that they are of. */
export async function recordsOf(
  server: EtcdServer,
): Promise<{ revision: number; records: EtcdRecord[] }> {
  const all = { key: Buffer.of(0), range_end: Buffer.of(0) };
  const { header, kvs } = await server.client.kv.range(all);
  const records = kvs.map((kv) => ({
    key: kv.key,
    value: kv.value,
    createRevision: Number(kv.create_revision),
    modRevision: Number(kv.mod_revision),
    version: Number(kv.version),
    lease: BigInt(kv.lease),
  }));
  return { revision: Number(header.revision), records };
}

/** What HashKV answers at a revision. */
export async function hashAt(
  server: EtcdServer,
  revision: number,
): Promise<{ hash: number; compactRevision: number }> {
  const answer = await server.ctl("endpoint", "hashkv", "--rev", `${revision}`, "-w", "json");
  const [{ HashKV }] = JSON.parse(answer);
  return { hash: HashKV.hash, compactRevision: Math.max(0, HashKV.compact_revision ?? 0) };
}

/** One line for each record, in the order of their keys: quick to compare whatever the size of the values. */
export function linesOf(records: readonly EtcdRecord[]): string[] {
  return records
    .map(
      ({ key, value, createRevision, modRevision, version, lease }) =>
        `${Buffer.from(key).toString("hex")} ${createRevision} ${modRevision} ${version} ${lease} ${createHash("sha256").update(value).digest("hex")}`,
    )
    .sort();
}
