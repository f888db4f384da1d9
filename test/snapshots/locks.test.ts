import test from "ava";
import { checkUnlocked } from "../../src/snapshots/locks.js";
import type { StoreFacts } from "../../src/snapstore/store.js";
import { MemoryStore } from "../support/stores/memory-store.js";
import { forgeStream } from "../support/stores/forged-streams.js";

const { signal } = new AbortController();

class DescribedStore extends MemoryStore {
  readonly facts: StoreFacts;
  heads = 0;

  constructor(facts: StoreFacts) {
    super();
    this.facts = facts;
  }

  async describe(): Promise<StoreFacts> {
    return this.facts;
  }

  override head(...args: Parameters<MemoryStore["head"]>): ReturnType<MemoryStore["head"]> {
    this.heads++;
    return super.head(...args);
  }
}

test("files are asked for locks unless the store says that it has none", async (t) => {
  for (const [facts, heads] of [
    [{ objectLock: { enabled: false } }, 0],
    [{ objectLock: { enabled: true } }, 3],
    [{ unreported: { objectLock: "no permission" } }, 3],
    [{}, 3],
  ] as const) {
    const store = new DescribedStore(facts);
    const { name } = await forgeStream(store, { first: 5, time: 1000 });
    t.is((await checkUnlocked(store, name.text, signal)).files, 3);
    t.is(store.heads, heads);
  }
});
