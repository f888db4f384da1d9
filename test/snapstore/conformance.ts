import { createHash, randomBytes } from "node:crypto";
import anyTest, { type ExecutionContext, type TestFn } from "ava";
import { InterruptedError } from "../../src/errors.js";
import { StoreError, type StoreErrorCode } from "../../src/snapstore/errors.js";
import type { GetOptions, ListPage, SnapStore, StoreUpload } from "../../src/snapstore/store.js";

export interface ConformanceOptions {
  /** Must not be in any error or name. */
  readonly secrets?: readonly string[];
  /** Whether the provider can find unfinished uploads of another process. Default: true. */
  readonly findsStaleUploads?: boolean;
  /** Keys that the provider does not support, by its documentation. */
  readonly impossibleKeys?: readonly string[];
  /** Serial, for stores that start a process each. */
  readonly serial?: boolean;
}

type MakeStore = (prefix: string) => Promise<SnapStore>;

interface Context {
  readonly prefix: string;
  readonly store: SnapStore;
}

const test = anyTest as TestFn<Context>;

/**
 * Tests of the contract of {@link SnapStore}, for the calling file.
 * @param makeStore makes a store with this prefix, always in the same container
 */
export function conformance(
  name: string,
  makeStore: MakeStore,
  options: ConformanceOptions = {},
): void {
  test.beforeEach(async (t) => {
    const prefix = `conformance/${randomBytes(6).toString("hex")}`;
    t.context = { prefix, store: await makeStore(prefix) };
  });
  test.afterEach.always(async (t) => {
    await t.context.store?.close();
  });
  const tests = options.serial ? test.serial : test;
  const holds = (what: string, check: (t: ExecutionContext<Context>) => Promise<void>) =>
    tests(`${name}: ${what}`, check);

  objects(holds, options);
  listings(holds, makeStore);
  uploads(holds, options);
  endings(holds, options);
}

type Holds = (what: string, check: (t: ExecutionContext<Context>) => Promise<void>) => void;

const ODD_KEYS = [
  "with space/a b",
  "ünï/çødé/日本語/🗄",
  "a+b",
  "100%/50%25",
  "#hash",
  "what?x=1&y=2",
  "semi;colon,comma",
  "quote'\"<>",
  "back\\slash",
  "star*[1]{2}",
  "~tilde/$dollar/@at/!",
  ".dot/..two/...",
  "-dash/--dash",
  "_under=equals:colon|pipe",
];

function objects(holds: Holds, { impossibleKeys = [] }: ConformanceOptions): void {
  holds("an object has the bytes that were put", async (t) => {
    const { store } = t.context;
    const bytes = randomBytes(100_000);
    const before = Date.now();
    await store.put("a/b", bytes);
    t.deepEqual(await readAll(store, "a/b"), bytes);
    const head = await store.head("a/b");
    t.is(head?.key, "a/b");
    t.is(head?.size, bytes.length);
    t.true(Math.abs((head?.modified.getTime() ?? 0) - before) < 3_600_000);
    t.deepEqual(
      (await store.list("")).objects.map(({ key, size }) => ({ key, size })),
      [{ key: "a/b", size: bytes.length }],
    );
  });

  holds("an object can be empty", async (t) => {
    const { store } = t.context;
    await store.put("empty", new Uint8Array(0));
    t.is((await store.head("empty"))?.size, 0);
    t.is((await readAll(store, "empty")).length, 0);
    t.is((await readAll(store, "empty", { offset: 0, length: 10 })).length, 0);
    t.is((await store.list("")).objects.length, 1);
  });

  holds("a second put replaces the first, and changes the tag", async (t) => {
    const { store } = t.context;
    await store.put("k", Buffer.from("one"));
    const first = await store.head("k");
    await store.put("k", Buffer.from("two"));
    const second = await store.head("k");
    t.is((await readAll(store, "k")).toString(), "two");
    if (first?.tag !== undefined) t.not(second?.tag, first.tag);
  });

  holds("ranges end with the object", async (t) => {
    const { store } = t.context;
    const bytes = randomBytes(10_000);
    await store.put("k", bytes);
    for (const [offset, length] of [
      [0, 1],
      [0, 10_000],
      [1, 9_999],
      [9_999, 1],
      [5_000, undefined],
      [5_000, 100_000],
      [9_999, 2],
      [10_000, 1],
      [10_000, undefined],
      [20_000, 5],
      [undefined, 17],
      [3, 0],
    ] as const) {
      const wanted = bytes.subarray(offset ?? 0, (offset ?? 0) + (length ?? bytes.length));
      t.deepEqual(await readAll(store, "k", { offset, length }), wanted, `${offset} ${length}`);
    }
  });

  holds("keys can have any character", async (t) => {
    const { store } = t.context;
    const keys = ODD_KEYS.filter((key) => !impossibleKeys.includes(key));
    await Promise.all(keys.map((key) => store.put(key, Buffer.from(key))));
    for (const key of keys) {
      t.is((await readAll(store, key)).toString(), key);
      t.is((await store.head(key))?.key, key);
    }
    const listed = (await store.list("")).objects.map(({ key }) => key);
    t.deepEqual(listed, sorted(keys));
    for (const key of keys.filter((key) => key.includes("/"))) {
      const folder = key.slice(0, key.indexOf("/") + 1);
      t.deepEqual((await listAll(store, folder)).keys, [key]);
    }
    for (const key of keys) await store.delete(key);
    t.deepEqual((await store.list("")).objects, []);
  });

  holds("keys outside of the prefix are rejected", async (t) => {
    const { store } = t.context;
    for (const key of ["", "/a", "a/", "a//b", "..", "a/../b", "../a", ".", "a/./b", "a\0b"]) {
      await refused(t, "STORE_FAILED", () => store.put(key, Buffer.from("x")));
      await refused(t, "STORE_FAILED", () => store.head(key));
      await refused(t, "STORE_FAILED", () => store.delete(key));
      await refused(t, "STORE_FAILED", () => readAll(store, key));
      await refused(t, "STORE_FAILED", () => store.startUpload(key, { partBytes: 1 << 23 }));
    }
  });

  holds("a put with ifAbsent fails if the object exists, and does not change it", async (t) => {
    const { store } = t.context;
    await store.put("k", Buffer.from("first"), { ifAbsent: true });
    const error = await refused(t, "STORE_EXISTS", () =>
      store.put("k", Buffer.from("second"), { ifAbsent: true }),
    );
    t.true(error.message.includes("k"));
    t.is((await readAll(store, "k")).toString(), "first");
  });

  holds("of two concurrent writers with ifAbsent one succeeds", async (t) => {
    const { store } = t.context;
    if (!store.capabilities.atomicIfAbsent) {
      t.pass("the store says that it only looks");
      return;
    }
    for (let round = 0; round < 5; round++) {
      const writers = [0, 1, 2, 3].map((n) =>
        store.put(`k${round}`, Buffer.from(`writer ${n}`), { ifAbsent: true }).then(
          () => n,
          (error) => error,
        ),
      );
      const fates = await Promise.all(writers);
      const winners = fates.filter((fate) => typeof fate === "number");
      t.is(winners.length, 1);
      for (const fate of fates) if (fate !== winners[0]) t.is(fate.code, "STORE_EXISTS");
      t.is((await readAll(store, `k${round}`)).toString(), `writer ${winners[0]}`);
    }
  });

  holds("a missing object is not found", async (t) => {
    const { store } = t.context;
    t.is(await store.head("a/missing"), undefined);
    for (const options of [{}, { offset: 5, length: 5 }, { length: 0 }]) {
      const error = await refused(t, "STORE_NOT_FOUND", () => readAll(store, "a/missing", options));
      t.true(error.message.includes("a/missing"), error.message);
      t.true(error.message.startsWith(store.name), error.message);
    }
  });

  holds("deleting twice succeeds", async (t) => {
    const { store } = t.context;
    await store.put("a/b", Buffer.from("x"));
    await store.delete("a/b");
    await store.delete("a/b");
    await store.delete("never/was");
    t.is(await store.head("a/b"), undefined);
    t.deepEqual(await store.list(""), { objects: [], folders: [] });
  });

  holds("a read with the tag of another object fails", async (t) => {
    const { store } = t.context;
    await store.put("k", Buffer.from("one"));
    const tag = (await store.head("k"))?.tag;
    if (tag === undefined) {
      t.pass("the store keeps no tags");
      return;
    }
    t.is((await readAll(store, "k", { ifTag: tag })).toString(), "one");
    t.is((await readAll(store, "k", { ifTag: tag, offset: 1 })).toString(), "ne");
    await store.put("k", Buffer.from("two"));
    await refused(t, "STORE_TRANSIENT", () => readAll(store, "k", { ifTag: tag }));
    await refused(t, "STORE_TRANSIENT", () => readAll(store, "k", { ifTag: tag, offset: 1 }));
  });
}

function listings(holds: Holds, makeStore: MakeStore): void {
  holds("prefixes match whole path segments", async (t) => {
    const { store } = t.context;
    const keys = ["a", "ab", "b/cd", "b/c/d", "bc", "b-/x"];
    for (const key of keys) await store.put(key, Buffer.from(key));
    t.deepEqual((await listAll(store, "b/")).keys, ["b/c/d", "b/cd"]);
    t.deepEqual((await listAll(store, "b/c/")).keys, ["b/c/d"]);
    t.deepEqual((await listAll(store, "a/")).keys, []);
    t.deepEqual((await listAll(store, "")).keys, sorted(keys));
    await refused(t, "STORE_FAILED", () => store.list("b"));
    await refused(t, "STORE_FAILED", () => store.list("../"));
  });

  holds("a shallow listing shows folders", async (t) => {
    const { store } = t.context;
    for (const key of ["a/1", "a/2", "b/c/1", "file", "z"]) await store.put(key, Buffer.from("x"));
    const top = await store.list("", { shallow: true });
    t.deepEqual(top.folders, ["a/", "b/"]);
    t.deepEqual(
      top.objects.map(({ key }) => key),
      ["file", "z"],
    );
    t.is(top.next, undefined);
    const deeper = await store.list("b/", { shallow: true });
    t.deepEqual(deeper.folders, ["b/c/"]);
    t.deepEqual(deeper.objects, []);
    await store.delete("b/c/1");
    t.deepEqual((await store.list("", { shallow: true })).folders, ["a/"]);
  });

  holds("a shallow listing has pages", async (t) => {
    const { store } = t.context;
    const names = Array.from({ length: 7 }, (_, i) => `n${i}`);
    for (const n of names) {
      await store.put(`${n}/1`, Buffer.from("x"));
      await store.put(`${n}/2`, Buffer.from("x"));
      await store.put(`${n}.txt`, Buffer.from("x"));
    }
    const { keys, folders, pages } = await listAll(store, "", { shallow: true, limit: 4 });
    t.deepEqual(
      folders,
      names.map((n) => `${n}/`),
    );
    t.deepEqual(
      keys,
      names.map((n) => `${n}.txt`),
    );
    t.true(pages >= 4);
  });

  holds("1,100 objects come in pages, sorted, each once", async (t) => {
    const { store } = t.context;
    const keys = Array.from({ length: 1100 }, (_, i) => `${i % 10}/${String(i).padStart(5, "0")}`);
    await inTurns(16, keys, (key) => store.put(key, Buffer.from(key)));
    for (const limit of [undefined, 100]) {
      const listed = await listAll(store, "", { limit });
      t.deepEqual(listed.keys, sorted(keys));
      t.true(listed.largest <= (limit ?? 5000));
      if (limit !== undefined) t.true(listed.pages >= 11);
    }
    t.deepEqual(
      (await listAll(store, "3/", { limit: 7 })).keys,
      sorted(keys.filter((key) => key.startsWith("3/"))),
    );
    t.is((await listAll(store, "", { shallow: true })).folders.length, 10);
    await inTurns(16, keys, (key) => store.delete(key));
    t.deepEqual((await store.list("")).objects, []);
  });

  holds("a listing without objects is empty", async (t) => {
    t.deepEqual(await t.context.store.list(""), { objects: [], folders: [] });
    t.deepEqual(await t.context.store.list("no/such/", { shallow: true }), {
      objects: [],
      folders: [],
    });
  });

  holds("two stores in one container do not see each other", async (t) => {
    const { store, prefix } = t.context;
    const longer = await makeStore(`${prefix}2`);
    const below = await makeStore(`${prefix}/below`);
    const again = await makeStore(prefix);
    try {
      await store.put("mine", Buffer.from("1"));
      await longer.put("theirs", Buffer.from("2"));
      await longer.put("mine", Buffer.from("3"));
      t.deepEqual((await listAll(store, "")).keys, ["mine"]);
      t.deepEqual((await listAll(longer, "")).keys, ["mine", "theirs"]);
      t.deepEqual((await listAll(below, "")).keys, []);
      t.is((await readAll(store, "mine")).toString(), "1");
      await longer.delete("mine");
      t.is((await readAll(again, "mine")).toString(), "1");
      t.is(again.place, store.place);
      t.not(longer.place, store.place);
      t.not(below.place, store.place);
    } finally {
      for (const other of [longer, below, again]) await other.close();
    }
  });
}

/** Bytes for tests of uploads: as few as the store accepts. */
function partBytes(store: SnapStore): number {
  return Math.min(
    Math.max(store.capabilities.minPartBytes, 65_536),
    store.capabilities.maxPartBytes,
  );
}

function split(bytes: Buffer, length: number): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += length) parts.push(bytes.subarray(at, at + length));
  return parts;
}

function factsOf(bytes: Buffer, parts: number) {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { parts, size: bytes.length, sha256 };
}

/** The last part is shorter than the others. */
function uploadOf(store: SnapStore, parts: number) {
  const length = partBytes(store);
  const bytes = randomBytes(length * (parts - 1) + 1000);
  return { length, bytes, parts: split(bytes, length), facts: factsOf(bytes, parts) };
}

function uploads(holds: Holds, { findsStaleUploads = true }: ConformanceOptions): void {
  holds("parts become one object, which does not exist before", async (t) => {
    const { store } = t.context;
    const { length, bytes, parts, facts } = uploadOf(store, 4);
    const upload = await store.startUpload("up/load", { partBytes: length });
    for (const [number, part] of parts.entries()) {
      await upload.part(number, part);
      t.is(await store.head("up/load"), undefined);
    }
    t.deepEqual((await store.list("")).objects, []);
    t.deepEqual((await store.list("", { shallow: true })).folders, []);
    await upload.complete(facts);
    const head = await store.head("up/load");
    t.is(head?.size, bytes.length);
    if (head?.sha256 !== undefined) t.is(head.sha256, facts.sha256);
    t.true((await readAll(store, "up/load")).equals(bytes));
    t.true(
      (await readAll(store, "up/load", { offset: length - 10, length: 20 })).equals(
        bytes.subarray(length - 10, length + 10),
      ),
    );
    const { objects, folders } = await store.list("");
    t.deepEqual(
      objects.map(({ key, size }) => [key, size]),
      [["up/load", bytes.length]],
    );
    t.deepEqual(folders, []);
    await store.delete("up/load");
    t.deepEqual((await store.list("")).objects, []);
  });

  holds("parts may be concurrent and in any order if the store supports it", async (t) => {
    const { store } = t.context;
    if (!store.capabilities.parallelParts) {
      t.pass("the store takes them in order");
      return;
    }
    const { length, bytes, parts, facts } = uploadOf(store, 6);
    const upload = await store.startUpload("k", { partBytes: length });
    const order = [5, 2, 0, 4, 1, 3];
    await inTurns(3, order, (number) => upload.part(number, parts[number] as Buffer));
    await upload.complete(facts);
    t.true((await readAll(store, "k")).equals(bytes));
  });

  holds("a part can be sent again", async (t) => {
    const { store } = t.context;
    const { length, bytes, parts, facts } = uploadOf(store, 3);
    const upload = await store.startUpload("k", { partBytes: length });
    for (const [number, part] of parts.entries()) {
      await upload.part(number, part);
      await upload.part(number, part);
    }
    await upload.complete(facts);
    t.true((await readAll(store, "k")).equals(bytes));
  });

  holds("an upload can have a single part, full, short or empty", async (t) => {
    const { store } = t.context;
    const length = partBytes(store);
    for (const size of [length, 17, 0]) {
      const bytes = randomBytes(size);
      const upload = await store.startUpload(`k${size}`, { partBytes: length });
      await upload.part(0, bytes);
      await upload.complete(factsOf(bytes, 1));
      t.true((await readAll(store, `k${size}`)).equals(bytes), `${size} bytes`);
    }
  });

  holds("completing twice succeeds", async (t) => {
    const { store } = t.context;
    const { length, bytes, parts, facts } = uploadOf(store, 2);
    const upload = await store.startUpload("k", { partBytes: length, ifAbsent: true });
    for (const [number, part] of parts.entries()) await upload.part(number, part);
    await upload.complete(facts);
    await upload.complete(facts);
    t.true((await readAll(store, "k")).equals(bytes));
    await upload.abort();
    t.true((await readAll(store, "k")).equals(bytes));
  });

  holds("an aborted upload leaves nothing", async (t) => {
    const { store } = t.context;
    const { length, parts, facts } = uploadOf(store, 2);
    const upload = await store.startUpload("a/k", { partBytes: length });
    await upload.part(0, parts[0] as Buffer);
    await upload.abort();
    await upload.abort();
    t.is(await store.head("a/k"), undefined);
    t.deepEqual(await store.list(""), { objects: [], folders: [] });
    t.is(await store.abortStaleUploads("", tomorrow()), 0);
    await t.throwsAsync(upload.complete(facts), { instanceOf: StoreError });
    t.is(await store.head("a/k"), undefined);
  });

  holds("an upload with ifAbsent fails if the object exists", async (t) => {
    const { store } = t.context;
    await store.put("k", Buffer.from("first"));
    const { length, parts, facts } = uploadOf(store, 2);
    let upload: StoreUpload | undefined;
    await refused(t, "STORE_EXISTS", async () => {
      upload = await store.startUpload("k", { partBytes: length, ifAbsent: true });
      for (const [number, part] of parts.entries()) await upload.part(number, part);
      await upload.complete(facts);
    });
    await upload?.abort();
    t.is((await readAll(store, "k")).toString(), "first");
    t.is(await store.abortStaleUploads("", tomorrow()), 0);
  });

  holds("an upload with ifAbsent fails if the object was created in the meantime", async (t) => {
    const { store } = t.context;
    const { length, parts, facts } = uploadOf(store, 2);
    const upload = await store.startUpload("k", { partBytes: length, ifAbsent: true });
    for (const [number, part] of parts.entries()) await upload.part(number, part);
    await store.put("k", Buffer.from("first"));
    await refused(t, "STORE_EXISTS", () => upload.complete(facts));
    await upload.abort();
    t.is((await readAll(store, "k")).toString(), "first");
  });

  holds("stale uploads are aborted by age and prefix, except for kept ones", async (t) => {
    const { store } = t.context;
    if (!findsStaleUploads) {
      t.pass("the provider cannot list them");
      return;
    }
    const { length, parts, facts } = uploadOf(store, 2);
    const one = await store.startUpload("one/k", { partBytes: length });
    const two = await store.startUpload("two/k", { partBytes: length });
    for (const upload of [one, two]) {
      for (const [number, part] of parts.entries()) await upload.part(number, part);
    }
    t.is(await store.abortStaleUploads("", new Date(Date.now() - 3_600_000)), 0);
    t.is(await store.abortStaleUploads("", tomorrow(), { keep: ["one/", "two/"] }), 0);
    t.is(await store.abortStaleUploads("one/", tomorrow(), { keep: ["one/"] }), 0);
    t.is(await store.abortStaleUploads("one/", tomorrow(), { keep: ["two/"] }), 1);
    t.is(await store.abortStaleUploads("", tomorrow(), { keep: ["one/", "two/"] }), 0);
    t.is(await store.abortStaleUploads("one/", tomorrow()), 0);
    await t.throwsAsync(one.complete(facts), { instanceOf: StoreError });
    await two.complete(facts);
    t.is((await store.head("two/k"))?.size, facts.size);
    t.is(await store.head("one/k"), undefined);
    await one.abort();
  });
}

function endings(holds: Holds, { secrets = [] }: ConformanceOptions): void {
  holds("an aborted signal ends every call", async (t) => {
    const { store } = t.context;
    await store.put("k", Buffer.from("x"));
    const signal = AbortSignal.abort();
    const calls: (() => Promise<unknown>)[] = [
      () => store.put("j", Buffer.from("x"), { signal }),
      () => store.startUpload("j", { partBytes: partBytes(store), signal }),
      () => readAll(store, "k", { signal }),
      () => store.head("k", signal),
      () => store.list("", { signal }),
      () => store.delete("k", signal),
    ];
    for (const call of calls) await t.throwsAsync(call(), { instanceOf: InterruptedError });
    const { length, parts, facts } = uploadOf(store, 1);
    const upload = await store.startUpload("j", { partBytes: length });
    await t.throwsAsync(upload.part(0, parts[0] as Buffer, signal), {
      instanceOf: InterruptedError,
    });
    await upload.part(0, parts[0] as Buffer);
    await t.throwsAsync(upload.complete(facts, signal), { instanceOf: InterruptedError });
    await upload.abort();
    t.deepEqual((await listAll(store, "")).keys, ["k"]);
  });

  holds("a signal ends a running read", async (t) => {
    const { store } = t.context;
    await store.put("k", randomBytes(16 << 20));
    const controller = new AbortController();
    let got = 0;
    const read = async () => {
      for await (const piece of store.get("k", { signal: controller.signal })) {
        got += piece.length;
        controller.abort();
      }
    };
    await t.throwsAsync(read(), { instanceOf: InterruptedError });
    t.true(got > 0 && got < 16 << 20);
  });

  holds("a consumer can stop a read early", async (t) => {
    const { store } = t.context;
    await store.put("k", randomBytes(8 << 20));
    for (let i = 0; i < 20; i++) {
      for await (const piece of store.get("k")) {
        t.true(piece.length > 0);
        break;
      }
    }
    t.is((await readAll(store, "k")).length, 8 << 20);
  });

  holds("names and errors contain no secrets", async (t) => {
    const { store } = t.context;
    const error = await refused(t, "STORE_NOT_FOUND", () => readAll(store, "missing"));
    const told = [store.name, store.place, error.message, error.hint ?? "", error.store].join("\n");
    t.is(error.store, store.name);
    for (const secret of secrets) t.false(told.includes(secret));
  });
}

/** Throws unless `call` fails with this code. */
export async function refused(
  t: ExecutionContext<unknown>,
  code: StoreErrorCode,
  call: () => Promise<unknown>,
): Promise<StoreError> {
  const error = await t.throwsAsync(call, { instanceOf: StoreError });
  t.is(error.code, code, error.message);
  return error;
}

export async function readAll(
  store: SnapStore,
  key: string,
  options?: GetOptions,
): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(key, options)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Every page of a listing. */
export async function listAll(
  store: SnapStore,
  prefix: string,
  options: { shallow?: boolean; limit?: number | undefined } = {},
): Promise<{ keys: string[]; folders: string[]; pages: number; largest: number }> {
  const all = { keys: [] as string[], folders: [] as string[], pages: 0, largest: 0 };
  let page: ListPage | undefined;
  do {
    page = await store.list(prefix, { ...options, cursor: page?.next });
    all.keys.push(...page.objects.map(({ key }) => key));
    all.folders.push(...page.folders);
    all.pages++;
    all.largest = Math.max(all.largest, page.objects.length + page.folders.length);
  } while (page.next !== undefined);
  return all;
}

/** Sorted by UTF-8 bytes. */
function sorted(keys: readonly string[]): string[] {
  return [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function tomorrow(): Date {
  return new Date(Date.now() + 86_400_000);
}

/** Works on all items, `width` at once. */
async function inTurns<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: width }, worker));
}
