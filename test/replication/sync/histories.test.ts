import { createHash } from "node:crypto";
import test from "ava";
import fc from "fast-check";
import { decodeManifest, encodeManifest } from "../../../src/archive/manifest/manifest.js";
import { copyRetryPolicy } from "../../../src/replication/copy/retries.js";
import type { PlannedDeletion } from "../../../src/replication/sync/mirror.js";
import { StoreSync } from "../../../src/replication/sync/store-sync.js";
import { SyncError } from "../../../src/replication/sync/sync-error.js";
import { CachedCatalog } from "../../../src/snapshots/cached-catalog.js";
import { listSnapshots, type StoredSnapshot } from "../../../src/snapshots/catalog.js";
import { deleteSnapshot } from "../../../src/snapshots/delete.js";
import { snapshotName } from "../../../src/snapshots/name.js";
import { BackupToolError } from "../../../src/errors.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { RetryingStore } from "../../../src/snapstore/layers/retrying.js";
import { MemoryStore } from "../../support/stores/memory-store.js";
import { SwitchableStore } from "../../support/stores/switchable-store.js";

const { signal } = new AbortController();
const RETRIES = { maxRetries: 1, backoffMs: 0 };
const GRACE_MS = 100;

type Step =
  /** `over`: which of the newest snapshots is the base; none for a full backup. */
  | { do: "backup"; over?: number }
  /** Deletes a snapshot and what is based on it, as a retention does. */
  | { do: "retire"; which: number }
  /** Loses snapshots without a rule. */
  | { do: "lose"; share: number }
  | { do: "damage"; side: "source" | "target"; which: number; file: number }
  | { do: "hide"; which: number }
  | { do: "hold" | "lock" | "release"; which: number }
  | { do: "intrude"; which: number }
  | { do: "sync"; mirror: boolean; failures: number; seed: number; laterMs: number };

const which = fc.nat(20);
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      { do: fc.constant("backup" as const), over: fc.nat(3) },
      { requiredKeys: ["do"] },
    ),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("retire" as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("lose" as const), share: fc.nat(1) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant("damage" as const),
      side: fc.constantFrom("source" as const, "target" as const),
      which,
      file: fc.nat(3),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("hide" as const), which }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("hold" as const, "lock" as const, "release" as const),
      which,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("intrude" as const), which }) },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("sync" as const),
      mirror: fc.constantFrom(true, true, false),
      failures: fc.constantFrom(0, 0, 20, 60),
      seed: fc.nat(),
      laterMs: fc.constantFrom(0, 50, 100, 200),
    }),
  },
);

/** A complete snapshot, of which every byte has been compared with its manifest. */
interface Whole {
  readonly id: string;
  readonly base: string | null;
  readonly digest: string;
  readonly time: number;
}

class History {
  readonly source = new MemoryStore();
  readonly target = new MemoryStore();
  readonly #sites = { source: site(this.source), target: site(this.target) };
  readonly #held = new Set<string>();
  /** Since when a mirror has seen that the source lacks a name. */
  readonly #absent = new Map<string, number>();
  readonly #sync: StoreSync;
  #time = 1_700_000_000;
  #now = 0;
  deletions = 0;
  copies = 0;
  failures = 0;

  constructor() {
    const { source, target } = this.#sites;
    this.#sync = new StoreSync(source, target, () => this.#now);
  }

  async apply(step: Step): Promise<void> {
    switch (step.do) {
      case "backup": {
        const bases = (await complete(this.source)).toReversed();
        const base = step.over === undefined ? undefined : bases[step.over];
        await this.#write(this.source, { base: base?.facts?.id, time: ++this.#time });
        return;
      }
      case "retire": {
        const all = await complete(this.source);
        // Of the older half, most of the time: a retention keeps the newest.
        const one = pick(step.which > 19 ? all : all.slice(0, all.length / 2), step.which);
        if (one !== undefined) await this.#retire(one);
        return;
      }
      case "lose":
        for (const [i, { name }] of (await listSnapshots(this.source, signal)).entries()) {
          if (i % 5 <= step.share)
            await deleteSnapshot(this.source, name.text, { dryRun: false, signal });
        }
        return;
      case "damage": {
        const store = this[step.side];
        const one = pick(await complete(store), step.which);
        const key = `${one?.name.text}/${FILES[step.file] ?? ""}`;
        if (store.objects.get(key)?.lockedUntil === undefined) await store.delete(key);
        return;
      }
      case "hide": {
        const one = pick(await listSnapshots(this.source, signal), step.which);
        for (const key of this.source.objects.keys()) {
          if (one === undefined || !key.startsWith(`${one.name.text}/`)) continue;
          if (!this.source.hidden.delete(key)) this.source.hidden.add(key);
        }
        return;
      }
      case "hold":
      case "lock":
      case "release": {
        const one = pick(await complete(this.target), step.which);
        if (one !== undefined) this.#protect(one.name.text, step.do);
        return;
      }
      case "intrude": {
        const one = pick(await complete(this.source), step.which);
        const there = new Set(
          (await listSnapshots(this.target, signal)).map(({ name }) => name.text),
        );
        if (one === undefined || there.has(one.name.text)) return;
        const base = one.facts?.base ?? undefined;
        await this.#write(this.target, { base, time: one.name.time });
        return;
      }
      case "sync":
        return await this.sync(step);
    }
  }

  async sync(step: Extract<Step, { do: "sync" }>): Promise<void> {
    this.#now += step.laterMs;
    const before = await wholeOf(this.target);
    let listed = false;
    const choose = random(step.seed);
    for (const { switchable } of Object.values(this.#sites)) {
      switchable.before = () => {
        if (choose(100) < step.failures) {
          throw new StoreError("STORE_TRANSIENT", "as the test wants", { store: switchable.name });
        }
      };
    }
    try {
      await this.#sync.run(
        {
          maxParallelCopies: 2,
          minChunkBytes: 1 << 20,
          maxParallelChunks: 2,
          retries: RETRIES,
          signal,
          keepBase: (_store, _base, copy) => copy(async () => {}),
          held: async () => this.#held,
          mirror: step.mirror ? { rules: RULES, remove: this.#remove } : undefined,
        },
        {
          onListed: async () => {},
          onPlanned: () => {
            listed = true;
          },
          onBegin: () => {},
          onProgress: () => {},
          onCopied: () => void this.copies++,
          onNotCopied: () => {},
          onRefused: () => {},
          onDeleted: () => void this.deletions++,
          onNotDeleted: () => {},
        },
      );
    } catch (error) {
      if (!(error instanceof SyncError)) throw error;
      if (step.failures === 0) throw new Error(`without a fault: ${error.message}`);
      this.failures++;
    }
    for (const { switchable } of Object.values(this.#sites)) switchable.before = () => {};
    if (step.mirror) await this.#noteAbsences(before, listed);
    await this.#check(before, step);
  }

  /** Without faults, late listings and protection the target gets everything but what conflicts with its own. */
  async end(): Promise<void> {
    this.source.hidden.clear();
    this.#held.clear();
    for (const object of this.target.objects.values()) object.lockedUntil = undefined;
    const quiet = { do: "sync", mirror: false, failures: 0, seed: 0, laterMs: 0 } as const;
    await this.sync(quiet);
    const there = await wholeOf(this.target);
    const own = await wholeOf(this.source);
    const ids = new Set([...there.values()].map(({ id }) => id));
    const conflicts = new Set(
      [...own].filter(([name, { id }]) => there.has(name) && !ids.has(id)).map(([, { id }]) => id),
    );
    for (let size = -1; size !== conflicts.size; ) {
      size = conflicts.size;
      for (const { id, base } of own.values())
        if (base !== null && conflicts.has(base)) conflicts.add(id);
    }
    for (const [name, { digest, id }] of own) {
      const other = there.get(name);
      if (other?.digest === digest || conflicts.has(id)) continue;
      throw new Error(`${name} is missing at the end`);
    }
    const copies = this.copies;
    await this.sync(quiet);
    if (this.copies !== copies) throw new Error("a sync of the same snapshots copied again");
  }

  async #check(
    before: Map<string, Whole>,
    { mirror }: Extract<Step, { do: "sync" }>,
  ): Promise<void> {
    const after = await wholeOf(this.target);
    for (const [name, one] of before) {
      const still = after.get(name);
      if (still !== undefined) {
        if (still.digest !== one.digest) throw new Error(`${name} was replaced`);
        continue;
      }
      if (!mirror) throw new Error(`${name} was deleted without a mirror`);
      if (this.source.objects.has(`${name}/MANIFEST.json`))
        throw new Error(`${name} is in the source`);
      if (this.#held.has(name)) throw new Error(`${name} is held`);
      const since = this.#absent.get(name);
      if (since === undefined || this.#now - since < GRACE_MS)
        throw new Error(`${name}: too early`);
    }
    const ids = new Set([...after.values()].map(({ id }) => id));
    for (const [name, { base }] of after) {
      const hadBase = [...before.values()].some(({ id }) => id === base);
      if (base !== null && hadBase && !ids.has(base)) throw new Error(`${name} has lost its base`);
    }
    if (newestRestorable(after) < newestRestorable(before))
      throw new Error("the newest chain is lost");
  }

  async #noteAbsences(before: Map<string, Whole>, listed: boolean): Promise<void> {
    const shown = await listSnapshots(this.source, signal);
    if (!listed || !shown.some(({ state }) => state === "complete")) return;
    const names = new Set(shown.map(({ name }) => name.text));
    for (const name of names) this.#absent.delete(name);
    for (const name of before.keys()) {
      if (!names.has(name) && !this.#absent.has(name)) this.#absent.set(name, this.#now);
    }
  }

  #protect(name: string, how: "hold" | "lock" | "release"): void {
    if (how === "hold") this.#held.add(name);
    if (how === "release") this.#held.delete(name);
    for (const [key, object] of this.target.objects) {
      if (!key.startsWith(`${name}/`)) continue;
      if (how === "lock") object.lockedUntil = new Date(8.64e15);
      if (how === "release") object.lockedUntil = undefined;
    }
  }

  async #retire(one: StoredSnapshot): Promise<void> {
    for (const other of await complete(this.source)) {
      if (other.facts?.base === one.facts?.id) await this.#retire(other);
    }
    await deleteSnapshot(this.source, one.name.text, { dryRun: false, signal });
  }

  async #write(
    store: MemoryStore,
    { base = null, time }: { base?: string | null | undefined; time: number },
  ): Promise<void> {
    const kind = base === null ? "full" : "incremental";
    const { text } = snapshotName({ kind, firstRevision: 0, lastRevision: 0, time });
    const id = createHash("md5")
      .update(`${store === this.source} ${text}`)
      .digest("hex");
    const at = new Date(time * 1000).toISOString();
    const files = FILES.slice(0, 3).map((name, i) => {
      const bytes = Buffer.from(`${name} of ${id}`.repeat(1 + i));
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return { name, bytes, size: bytes.length, sha256 };
    });
    for (const { name, bytes } of files) await store.put(`${text}/${name}`, bytes);
    const facts = { format: 1, id, kind, base, startedAt: at, finishedAt: at, files } as const;
    await store.put(`${text}/MANIFEST.json`, Buffer.from(encodeManifest(facts)));
  }

  readonly #remove: PlannedDeletion = async ({ snapshots }, { recheck, onDeleted, onFailed }) => {
    const still = await recheck({ pinned: new Set() });
    const needed = new Set<string>();
    for (const { name, facts } of snapshots) {
      let stays = !still.has(name.text) || needed.has(facts?.id ?? "");
      if (!stays) {
        try {
          const { store } = this.#sites.target;
          onDeleted(name, await deleteSnapshot(store, name.text, { dryRun: false, signal }));
        } catch (error) {
          if (!(error instanceof BackupToolError)) throw error;
          stays = true;
          onFailed(name, error);
        }
      }
      if (stays && facts?.base != null) needed.add(facts.base);
    }
  };
}

const FILES = ["ARCHIVE00000.bin", "INDEX.bin", "METADATA.bin", "MANIFEST.json"];
const RULES = { maxDeleteFraction: 1, graceMs: GRACE_MS };

function site(store: MemoryStore) {
  const switchable = new SwitchableStore(store);
  const retrying = new RetryingStore(switchable, copyRetryPolicy(RETRIES));
  return { store: retrying, catalog: new CachedCatalog(retrying), switchable };
}

const complete = async (store: MemoryStore): Promise<StoredSnapshot[]> =>
  (await listSnapshots(store, signal)).filter(({ state }) => state === "complete");

function pick<T>(list: readonly T[], which: number): T | undefined {
  return list[which % Math.max(1, list.length)];
}

/** Throws if a snapshot that looks complete is not. */
async function wholeOf(store: MemoryStore): Promise<Map<string, Whole>> {
  const found = new Map<string, Whole>();
  for (const { name, facts } of await complete(store)) {
    if (facts === undefined) continue;
    const bytes = store.objects.get(`${name.text}/MANIFEST.json`)?.bytes ?? Buffer.of();
    for (const file of decodeManifest(bytes).files) {
      const stored = store.objects.get(`${name.text}/${file.name}`)?.bytes ?? Buffer.of();
      const sha256 = createHash("sha256").update(stored).digest("hex");
      if (sha256 !== file.sha256) throw new Error(`${name.text} in ${store.name} is not whole`);
    }
    found.set(name.text, { ...facts, time: name.time });
  }
  return found;
}

/** Time of the newest snapshot that has all its bases. */
function newestRestorable(all: ReadonlyMap<string, Whole>): number {
  const ids = new Set<string>();
  let newest = 0;
  for (const { id, base, time } of [...all.values()].sort((a, b) => a.time - b.time)) {
    if (base !== null && !ids.has(base)) continue;
    ids.add(id);
    newest = time;
  }
  return newest;
}

/** Numbers below a limit, by seed. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

test("no history of backups, losses, faults and syncs loses a copy or makes one that is not whole", async (t) => {
  const totals = { deletions: 0, copies: 0, failures: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(STEP, { minLength: 10, maxLength: 40, size: "max" }),
      async (steps) => {
        const history = new History();
        for (const step of steps) await history.apply(step);
        await history.end();
        totals.deletions += history.deletions;
        totals.copies += history.copies;
        totals.failures += history.failures;
      },
    ),
    { numRuns: Number(process.env["BACKUPTOOL_TEST_ROUNDS"] ?? 40), includeErrorInReport: true },
  );
  t.log(totals);
  t.true(totals.deletions > 0 && totals.copies > 0 && totals.failures > 0);
});
