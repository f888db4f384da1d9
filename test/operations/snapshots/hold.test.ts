import { rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import type { OperationEvent } from "../../../src/operations/events.js";
import { holdStoredSnapshot } from "../../../src/operations/snapshots/hold.js";
import { publishPlan } from "../../../src/snapshots/control/plans.js";
import { heldNames } from "../../../src/snapshots/holds.js";
import { deltaName } from "../../../src/snapshots/streams/delta-name.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { newFolder } from "../../support/folders.js";
import { forgeSnapshot } from "../../support/stores/forged-snapshots.js";
import { forgeStream } from "../../support/stores/forged-streams.js";

const { signal } = new AbortController();

/** A hold on an incremental, while a deletion of its base is planned. */
async function holdDuringDeletion() {
  const config = { provider: "Local", container: newFolder(), prefix: "" } as const;
  const store = new LocalStore(config);
  const full = forgeSnapshot(config.container, { time: 1000 });
  const { name, folder } = forgeSnapshot(config.container, { time: 2000, base: full });
  const plan = await publishPlan(store, [full.name], signal);
  const events: OperationEvent["type"][] = [];
  const report = (event: OperationEvent): void => void events.push(event.type);
  const held = holdStoredSnapshot(
    { store: config, snapshot: name, now: new Date() },
    { signal, report },
  );
  // Its failure is awaited later.
  held.catch(() => {});
  while (!(await heldNames(store, signal)).has(name)) await sleep(20);
  await sleep(200);
  return { store, name, folder, plan, held, events };
}

test("a hold waits for a deletion that was planned before it, and holds what is left", async (t) => {
  const { store, name, plan, held, events } = await holdDuringDeletion();
  t.deepEqual(events, []);
  await plan.remove();
  await held;
  t.deepEqual(events, ["snapshot-held"]);
  t.deepEqual([...(await heldNames(store, signal))], [name]);
});

test("a hold on what a deletion took meanwhile fails, and is removed", async (t) => {
  const { store, folder, plan, held, events } = await holdDuringDeletion();
  rmSync(join(folder, "MANIFEST.json"));
  await plan.remove();
  await t.throwsAsync(held, { code: "NO_SNAPSHOT", message: /was deleted meanwhile/ });
  t.deepEqual(events, []);
  t.deepEqual([...(await heldNames(store, signal))], []);
});

test("a hold on a stream says which of its deltas a deletion took before it", async (t) => {
  const config = { provider: "Local", container: newFolder(), prefix: "" } as const;
  const store = new LocalStore(config);
  const { name, deltas } = await forgeStream(store, { first: 5, time: 1000, base: 10 });
  const plan = await publishPlan(store, [name.text], signal);
  const messages: string[] = [];
  const report = (event: OperationEvent): void => {
    if (event.type === "warning") messages.push(event.message);
  };
  const options = { store: config, snapshot: name.text, now: new Date() };
  const held = holdStoredSnapshot(options, { signal, report });
  while (!(await heldNames(store, signal)).has(name.text)) await sleep(20);
  const last = deltas.at(-1);
  if (last === undefined) throw new Error("no delta");
  await store.delete(`${name.text}/${deltaName(last)}`);
  await plan.remove();
  await held;
  t.is(messages.length, 1);
  t.regex(messages[0] ?? "", /has taken the last 1 deltas of Etcd-/);
});
