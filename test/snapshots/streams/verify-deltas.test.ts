import test from "ava";
import { SealPool } from "../../../src/archive/seal/seal-pool.js";
import type { FileDamage } from "../../../src/snapshots/file-check.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { verifyDeltas } from "../../../src/snapshots/streams/verify-deltas.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { revision, revisions } from "../../support/archive/deltas.js";
import { DeltaForger, type DeltaItems } from "../../support/archive/forged-deltas.js";
import { samplePassphrase } from "../../support/archive/sample.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { keyOf, putStream, sites } from "../../support/stores/stored-log.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const pool = new SealPool(1);
test.after.always(() => pool.close());

async function verify(
  store: SnapStore,
  { passphrase = samplePassphrase(), listed = store } = {},
): Promise<{ damages: FileDamage[]; deltas: number }> {
  const [site] = await sites(listed);
  const damages: FileDamage[] = [];
  let deltas = 0;
  for (const stream of site?.streams ?? []) {
    await verifyDeltas(
      { store, stream },
      {
        ...{ passphrase, pool, signal: new AbortController().signal },
        onDamage: (damage) => damages.push(damage),
        onDelta: () => deltas++,
      },
    );
  }
  return { damages, deltas };
}

async function threeDeltas() {
  const store = new MemoryStore();
  const history = (number: number) => revision(number);
  const stream = await putStream(pool, [store], history, { first: 5, lengths: [3, 2, 3] });
  return { store, stream, name: (number: number) => deltaName(stream.named(number)) };
}

test("whole deltas are not damaged, also where some are missing", async (t) => {
  const { store, stream } = await threeDeltas();
  t.deepEqual(await verify(store), { damages: [], deltas: 3 });
  await store.delete(keyOf(stream, 1));
  t.deepEqual(await verify(store), { damages: [], deltas: 2 });
});

test("each damaged delta is reported, and the others are read on", async (t) => {
  const { store, stream, name } = await threeDeltas();
  const bytes = (number: number) => stream.sealed[number]?.bytes ?? Buffer.of();
  await store.put(keyOf(stream, 0), bytes(0).subarray(0, -1));
  await store.put(keyOf(stream, 2), bytes(1));
  const { damages, deltas } = await verify(store);
  t.is(deltas, 3);
  t.deepEqual(
    damages.map(({ file }) => file),
    [name(0), name(2)],
  );
  t.regex(damages[0]?.reason ?? "", /truncated/);
  t.regex(damages[1]?.reason ?? "", /another file of this stream/);
});

test("a delta that does not follow the one before is damaged", async (t) => {
  const { store, stream, name } = await threeDeltas();
  const forger = new DeltaForger(stream.keys, stream.name);
  const changed: [(items: DeltaItems) => void, RegExp][] = [
    [
      ({ head }) => head.splice(5, 1, Buffer.alloc(16)),
      /does not follow the changes of revision 7/,
    ],
    [({ head }) => head.splice(2, 1, "abc"), /another etcd cluster/],
    [({ revisions: items }) => items[0]?.splice(1, 1, 1), /its time goes back/],
  ];
  for (const [change, reason] of changed) {
    const items = forger.items(revisions(8, 9), null);
    items.head.splice(5, 1, forger.items([revision(7)], null).head[6]);
    change(items);
    await store.put(keyOf(stream, 1), forger.file(1, items));
    const { damages } = await verify(store);
    const [damage] = damages;
    t.is(damage?.file, name(1));
    t.regex(damage?.reason ?? "", reason);
  }
});

test("a delta that is gone since the listing is damaged, and a store that fails is an error", async (t) => {
  const { store, stream, name } = await threeDeltas();
  const failing = new SwitchableStore(store);
  failing.before = (call, key) => {
    if (call === "get" && key === keyOf(stream, 1)) {
      throw new StoreError("STORE_NOT_FOUND", "gone", { store: store.name });
    }
  };
  t.deepEqual(await verify(failing, { listed: store }), {
    damages: [{ file: name(1), reason: "it is not there" }],
    deltas: 3,
  });
  failing.before = (call, key) => {
    if (call === "get" && key === keyOf(stream, 1)) {
      throw new StoreError("STORE_TRANSIENT", "down", { store: store.name });
    }
  };
  await t.throwsAsync(verify(failing, { listed: store }), { code: "STORE_TRANSIENT" });
});

test("a wrong passphrase is an error, not damage", async (t) => {
  const { store } = await threeDeltas();
  const passphrase = samplePassphrase("another passphrase");
  await t.throwsAsync(verify(store, { passphrase }), { code: "WRONG_PASSPHRASE" });
});
