import test from "ava";
import { AreaChecks, type Check } from "../../../src/operations/doctor/check.js";
import { raceWriters } from "../../../src/operations/doctor/create-only.js";
import type { StoredObject } from "../../../src/snapstore/store.js";
import { MemoryStore } from "../../support/stores/memory-store.js";

/** Shows each deleted object so many times more. */
class LateStore extends MemoryStore {
  readonly #times: number;
  readonly #looks = new Map<string, number>();

  constructor(times: number) {
    super();
    this.#times = times;
  }

  override async head(key: string): Promise<StoredObject | undefined> {
    const found = await super.head(key);
    if (found !== undefined) return found;
    const looks = (this.#looks.get(key) ?? 0) + 1;
    this.#looks.set(key, looks);
    return looks > this.#times ? undefined : { key, size: 64, modified: new Date(), tag: "late" };
  }
}

async function raced(times: number): Promise<Check[]> {
  const found: Check[] = [];
  const store = new LateStore(times);
  const open = async () => store;
  const checks = new AreaChecks("primary store", (check) => found.push(check));
  await raceWriters(checks, store, open, undefined, new AbortController().signal);
  return found.filter(({ name }) => name === "delete by two");
}

test("an object that is shown for a moment after its deletion is a warning", async (t) => {
  const [check] = await raced(2);
  t.is(check?.state, "warning");
  t.regex(check?.detail ?? "", /^5 of 5 objects were there for a moment/);
});

test("an object that stays after its deletion is a failure", async (t) => {
  const [check] = await raced(Number.POSITIVE_INFINITY);
  t.is(check?.state, "failed");
  t.regex(check?.detail ?? "", /^5 of 5 objects were still there/);
});

test("objects that are gone at once are not named", async (t) => {
  t.deepEqual(await raced(0), []);
});
