import test from "ava";
import { NotLeaderError } from "../../../src/errors.js";
import {
  everyGuard,
  GuardedStore,
  type WriteGuard,
} from "../../../src/snapstore/layers/guarded.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();

/** Permits writes until it is told to stop. */
class Switch implements WriteGuard {
  permits = true;
  confirms = 0;

  check(): void {
    if (!this.permits) throw new NotLeaderError("not the leader");
  }

  async confirm(): Promise<void> {
    this.confirms++;
    this.check();
  }
}

function newStore() {
  const local = new LocalStore({ provider: "Local", container: newFolder(), prefix: "" });
  const inner = new SwitchableStore(local);
  const guard = new Switch();
  return { inner, guard, store: new GuardedStore(inner, guard) };
}

const BYTES = Buffer.from("bytes");
const FACTS = { parts: 1, size: 5, sha256: "" };

test("a store takes no call that changes it once its guard stops, and can still be read", async (t) => {
  const { inner, guard, store } = newStore();
  await store.put("a", BYTES);
  const upload = await store.startUpload("b", { partBytes: 5 });
  const other = await store.startUpload("c", { partBytes: 5 });
  await upload.part(0, BYTES);
  guard.permits = false;
  inner.calls.length = 0;
  for (const call of [
    () => store.put("d", BYTES),
    () => store.startUpload("e", { partBytes: 5 }),
    () => other.part(0, BYTES),
    () => upload.complete(FACTS),
    () => store.delete("a"),
    () => store.abortStaleUploads("", new Date()),
  ]) {
    await t.throwsAsync(call, { code: "NOT_LEADER" });
  }
  t.deepEqual(inner.calls, []);
  await Promise.all([upload.abort(), other.abort()]);
  t.is((await store.head("a"))?.size, 5);
  t.deepEqual(
    (await store.list("")).objects.map(({ key }) => key),
    ["a"],
  );
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get("a")) pieces.push(piece);
  t.deepEqual(Buffer.concat(pieces), BYTES);
});

test("each attempt of a retried call asks again, and a refusal is not retried", async (t) => {
  const { inner, guard, store } = newStore();
  const retrying = new RetryingStore(store, { firstDelayMs: 1, attempts: 5 });
  inner.before = (call) => {
    if (call !== "put") return;
    guard.permits = false;
    throw new StoreError("STORE_TRANSIENT", "no answer", { store: "test" });
  };
  await t.throwsAsync(retrying.put("a", BYTES), { code: "NOT_LEADER" });
  t.is(guard.confirms, 2);
  t.deepEqual(inner.keysOf("put"), ["a"]);
});

test("of several guards each may stop a write, also one that permitted it before another answered", async (t) => {
  const [one, two] = [new Switch(), new Switch()];
  const both = everyGuard(one, undefined, two);
  both.check();
  await both.confirm(signal);
  two.confirm = async () => {
    one.permits = false;
  };
  await t.throwsAsync(both.confirm(signal), { code: "NOT_LEADER" });
  t.throws(() => both.check(), { code: "NOT_LEADER" });
});
