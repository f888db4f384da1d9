import { rmSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { EitherStore } from "../../../src/operations/history/either-store.js";
import { listStreams } from "../../../src/snapshots/streams/list-streams.js";
import { StoreError } from "../../../src/snapstore/errors.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import {
  deltasFrom,
  idOf,
  nameOf,
  putBase,
  putDeltas,
} from "../../support/stores/stored-streams.js";

const { signal } = new AbortController();

function twoStores() {
  const folders = [newFolder(), newFolder()] as const;
  const [one, other] = folders.map((container) => localStore(container)) as [
    LocalStore,
    LocalStore,
  ];
  const failures: StoreError[] = [];
  const either = new EitherStore([one, other], (error) => failures.push(error));
  return { one, other, either, failures, folders };
}

function localStore(container: string): LocalStore {
  return new LocalStore({ provider: "Local", container, prefix: "" });
}

async function read(store: EitherStore, key: string): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of store.get(key)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test("an object of either store is there, and the first store's where both have one", async (t) => {
  const { one, other, either, failures } = twoStores();
  await one.put("f/both", Buffer.from("first"));
  await other.put("f/both", Buffer.from("second"));
  await other.put("f/a-late", Buffer.from("late"));
  t.is(await read(either, "f/both"), "first");
  t.is(await read(either, "f/a-late"), "late");
  t.is((await either.head("f/a-late"))?.size, 4);
  t.is(await either.head("f/none"), undefined);
  await t.throwsAsync(read(either, "f/none"), { code: "STORE_NOT_FOUND" });
  const { objects } = await either.list("f/");
  t.deepEqual(
    objects.map(({ key, size }) => [key, size]),
    [
      ["f/a-late", 4],
      ["f/both", 5],
    ],
  );
  t.deepEqual((await either.list("", { shallow: true })).folders, ["f/"]);
  t.deepEqual(failures, []);
});

test("deltas that two stores hold in part are one stream together", async (t) => {
  const { one, other, either } = twoStores();
  const stream = nameOf(11, 1000);
  const deltas = deltasFrom(11, [5, 5, 5, 5]);
  await putBase(one, stream, idOf(1));
  await putDeltas(one, stream, deltas.slice(0, 2));
  await putDeltas(other, stream, deltas.slice(1));
  const [found] = await listStreams(either, signal);
  t.deepEqual(
    { runs: found?.runs, base: found?.base?.state },
    { runs: [{ at: 0, count: 4, first: 11, last: 30 }], base: "complete" },
  );
});

test("a store that fails is reported once, and the other one serves", async (t) => {
  const { one, other, either, failures, folders } = twoStores();
  await one.put("a/b", Buffer.from("first"));
  await other.put("a/b", Buffer.from("second"));
  rmSync(join(folders[0]), { recursive: true });
  t.is(await read(either, "a/b"), "second");
  t.is((await either.list("a/")).objects.length, 1);
  t.is((await either.head("a/b"))?.size, 6);
  t.true(failures.length <= 1);
  rmSync(join(folders[1]), { recursive: true });
  await t.throwsAsync(read(either, "a/b"), { instanceOf: StoreError });
});

test("nothing is written through it", async (t) => {
  const { either } = twoStores();
  for (const call of [() => either.put(), () => either.delete(), () => either.startUpload()]) {
    await t.throwsAsync(call(), { instanceOf: StoreError, code: "STORE_IMMUTABLE" });
  }
});
