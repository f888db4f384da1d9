import { join } from "node:path";
import test, { type ExecutionContext } from "ava";
import fc from "fast-check";
import type { EtcdConnection } from "../../../../src/sources/etcd/connection.js";
import type { EtcdDatabase } from "../../../../src/sources/etcd/file/database.js";
import { recordsAt } from "../../../../src/sources/etcd/file/records-at.js";
import { writeDatabase } from "../../../../src/sources/etcd/file/write/write-database.js";
import type { EtcdRevision } from "../../../../src/sources/etcd/history.js";
import { LeaseNames } from "../../../../src/sources/etcd/watch/lease-names.js";
import type { RevisionGroup } from "../../../../src/sources/etcd/watch/revision-groups.js";
import { newFolder } from "../../../support/folders.js";
import { EtcdServer } from "../../../support/servers/etcd-server.js";
import { openDatabase } from "../../../support/servers/judged-database.js";
import { CollectedLog } from "../../../support/watch/collected-log.js";
import { readDatabase } from "../../../support/watch/database-history.js";

const { signal } = new AbortController();

/** An etcd whose leases have chosen ids, and what a watch of it names. */
class Leases {
  readonly #etcd: EtcdServer;
  readonly log: CollectedLog;
  readonly named: [key: string, ttl: number][] = [];

  constructor(etcd: EtcdServer, log: CollectedLog) {
    this.#etcd = etcd;
    this.log = log;
  }

  async grant(ttl: number): Promise<void> {
    await this.#etcd.client.leaseClient.leaseGrant({ ID: "77", TTL: ttl });
  }

  async revoke(): Promise<void> {
    await this.#etcd.client.leaseClient.leaseRevoke({ ID: "77" });
  }

  /** Resolves with the revision, once the watch has it. */
  async put(name: string, lease = "77"): Promise<number> {
    const key = Buffer.from(name);
    const { header } = await this.#etcd.client.kv.put({ key, value: Buffer.from("v"), lease });
    const revision = Number(header.revision);
    await this.log.until(revision);
    const found = this.log.revisions.find((one) => one.revision === revision);
    for (const { grantedTtl } of found?.leases ?? []) this.named.push([name, grantedTtl]);
    return revision;
  }

  async delete(name: string): Promise<void> {
    await this.#etcd.client.kv.deleteRange({ key: Buffer.from(name) });
  }
}

async function start(t: ExecutionContext) {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  const login = { endpoints: [etcd.endpoint], timeoutMs: 10_000 };
  const log = await CollectedLog.start(login, { after: 1 });
  t.teardown(() => log.stop());
  return { etcd, leases: new Leases(etcd, log) };
}

test("a lease that is granted again under its id is named again, if its TTL is another", async (t) => {
  const { leases } = await start(t);
  await leases.grant(100);
  await leases.put("first");
  await leases.put("second");
  // etcd deletes both.
  await leases.revoke();
  await leases.grant(200);
  await leases.put("third");
  await leases.put("first");
  // It ends without a trace: no key has it any more.
  await leases.put("third", "0");
  await leases.delete("first");
  await leases.revoke();
  await leases.grant(300);
  await leases.put("fourth");
  await leases.revoke();
  await leases.grant(300);
  await leases.put("fifth");
  t.deepEqual(leases.named, [
    ["first", 100],
    ["third", 200],
    ["fourth", 300],
  ]);
});

async function* each(log: readonly EtcdRevision[]) {
  yield log;
}

async function leasesIn(database: EtcdDatabase): Promise<Map<bigint, number>> {
  const found = new Map<bigint, number>();
  for await (const batch of database.leases(signal)) {
    for (const { id, grantedTtl } of batch) found.set(id, grantedTtl);
  }
  return found;
}

test("a moment has the TTL of the lease that lived then, before the id was granted again and after", async (t) => {
  const { etcd, leases } = await start(t);
  await leases.grant(50);
  await leases.put("base");
  const base = await readDatabase(etcd.endpoint);
  const { revision: last } = await base.facts(signal);
  await leases.revoke();
  await leases.grant(100);
  const before = await leases.put("key");
  await leases.revoke();
  await leases.grant(200);
  const after = await leases.put("key");
  const log = leases.log.revisions.filter(({ revision }) => revision > last);
  for (const [revision, ttl] of [
    [last, 50],
    [before, 100],
    [after, 200],
  ] as const) {
    const found = await recordsAt(base, () => each(log), revision, signal);
    t.is(found.leases.get(77n), ttl);
    const out = join(newFolder(), "etcd.db");
    const options = { revision, unknownLeaseTtlSeconds: 3600, signal };
    const { unknownLeases } = await writeDatabase(base, each(log), out, options);
    t.is(unknownLeases, 0);
    t.deepEqual(await leasesIn(await openDatabase(t, out)), new Map([[77n, ttl]]));
  }
});

type Step =
  | { readonly kind: "grant"; readonly lease: number; readonly ttl: number }
  | { readonly kind: "revoke" | "put" | "delete"; readonly lease: number; readonly key: string }
  /** What has come is handed over; the answers about leases may be lost. */
  | { readonly kind: "hand-over"; readonly fails: boolean };

const lease = fc.integer({ min: 0, max: 3 });
const key = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant("grant" as const), lease, ttl: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constantFrom("revoke" as const, "delete" as const), lease, key }),
  fc.record({ kind: fc.constant("put" as const), lease, key }),
  fc.record({ kind: fc.constant("hand-over" as const), fails: fc.boolean() }),
);

test("whatever ends and is granted again, each key has the TTL of its lease, which is asked for once", async (t) => {
  const connection = {} as EtcdConnection;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 20, maxLength: 60, size: "max" }),
      async (steps) => {
        const ttls = new Map<bigint, number>();
        const keys = new Map<string, bigint>();
        let asks = 0;
        let fails = false;
        const names = new LeaseNames(connection, async (_, ids) => {
          if (fails) throw new Error("lost");
          asks += [...ids].length;
          return [...ids].flatMap((id) => {
            const grantedTtl = ttls.get(id);
            return grantedTtl === undefined ? [] : [{ id, grantedTtl }];
          });
        });
        const named = new Map<bigint, number>();
        let groups: RevisionGroup[] = [];
        const change = (name: string, id: bigint, deleted: boolean): void => {
          const [kv, revision] = [Buffer.from(name), groups.length + 2];
          const event = { key: kv, kv, modRevision: revision, lease: id, deleted };
          groups.push({ revision, isRepeat: false, events: [event] });
          if (deleted) keys.delete(name);
          else keys.set(name, id);
        };
        const handOver = async (): Promise<void> => {
          for (const { leases } of await names.addTo(groups, 1, signal)) {
            for (const { id, grantedTtl } of leases) named.set(id, grantedTtl);
          }
          groups = [];
          for (const id of keys.values()) if (id !== 0n) t.is(named.get(id), ttls.get(id));
        };
        for (const one of steps) {
          switch (one.kind) {
            case "grant":
              if (one.lease > 0 && !ttls.has(BigInt(one.lease))) {
                ttls.set(BigInt(one.lease), one.ttl);
              }
              break;
            case "revoke":
              ttls.delete(BigInt(one.lease));
              for (const [name, id] of keys) {
                if (id === BigInt(one.lease) && id !== 0n) change(name, 0n, true);
              }
              break;
            case "put":
              if (one.lease === 0 || ttls.has(BigInt(one.lease))) {
                change(one.key, BigInt(one.lease), false);
              }
              break;
            case "delete":
              if (keys.has(one.key)) change(one.key, 0n, true);
              break;
            case "hand-over": {
              fails = one.fails;
              if (fails) await handOver().catch(() => {});
              fails = false;
              await handOver();
              // After a failure, leases are asked for once more.
              for (const again of [false, true]) {
                const before = asks;
                for (const [name, id] of keys) change(name, id, false);
                await handOver();
                if (again) t.is(asks, before);
              }
            }
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
