import type { ChildProcess } from "node:child_process";
import test from "ava";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { DELETED_TOGETHER } from "../../../src/snapshots/streams/delete-stream.js";
import { listStream, readStream } from "../../../src/snapshots/streams/list-streams.js";
import { parseStreamName } from "../../../src/snapshots/streams/stream-name.js";
import { inParallel } from "../../../src/flow/in-parallel.js";
import { backuptool } from "../../support/program/backuptool.js";
import { bucketStore } from "../../support/stores/flags.js";
import { newBucket } from "../../support/stores/s3-buckets.js";
import { deltasFrom, idOf, nameOf, putBase } from "../../support/stores/stored-streams.js";

const { signal } = new AbortController();
const DELTAS = 400;

test("a deletion of a stream in S3 that is killed leaves its base and an earlier end, and the next one ends it", async (t) => {
  const bucket = bucketStore(await newBucket(), { prefix: "p" });
  const store = bucket.open();
  const text = nameOf(5, 1_700_000_000);
  const name = parseStreamName(text);
  if (name === undefined) throw new Error(text);
  await putBase(store, text, idOf(1));
  await inParallel(deltasFrom(5, Array(DELTAS).fill(1), name.time), 8, async (delta) => {
    await store.put(`${text}/${deltaName(delta)}`, Buffer.of(1));
  });
  const remove = (onStart: (child: ChildProcess) => void = () => {}) =>
    backuptool(["snapshot", "delete", text, ...bucket.flags(), "--yes"], {
      env: bucket.env(),
      onStart,
    });
  const state = async () => {
    const stream = await readStream(store, name, signal);
    const numbers = [...(stream?.deltas ?? [])].map(({ number }) => number);
    const gap = numbers.findIndex((number, i) => number !== i);
    return { stream, numbers, whole: gap < 0 ? numbers.length : gap };
  };
  let killed: Promise<void> | undefined;
  const { code } = await remove((child) => {
    killed = (async () => {
      const listed = () => listStream(store, name, false, signal);
      while ((await listed())?.stream.deltas.length === DELTAS);
      child.kill("SIGKILL");
    })();
  });
  await killed;
  t.not(code, 0);
  const { stream, numbers, whole } = await state();
  t.log({ deltas: numbers.length, whole });
  t.true(numbers.length > 0 && numbers.length < DELTAS);
  t.is(stream?.base?.state, "complete");
  t.true((numbers.at(-1) ?? 0) - whole < DELETED_TOGETHER);
  t.is((stream?.gaps.length ?? 0) > 0, numbers.length > whole);
  t.is((await remove()).code, 0);
  t.is((await state()).stream, undefined);
  await store.close();
});
