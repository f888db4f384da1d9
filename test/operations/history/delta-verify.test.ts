import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { withHistory } from "../../../src/operations/history/access.js";
import { compactHistory } from "../../../src/operations/history/compact.js";
import { verifyHistory } from "../../../src/operations/history/delta-verify.js";
import type { OperationEvent } from "../../../src/operations/events.js";
import { proveBase } from "../../../src/operations/history/prove-base.js";
import { writeEtcdSnapshot } from "../../../src/operations/history/write-snapshot.js";
import { parseSnapshotName } from "../../../src/snapshots/name.js";
import { compactOptions } from "../../support/history/compact-options.js";
import { newFolder } from "../../support/folders.js";
import { RecordedEtcd } from "../../support/history/recorded-etcd.js";
import { backuptool } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { judgeDatabase } from "../../support/servers/judged-database.js";
import type { LiveState } from "../../support/servers/random-history.js";

/** Four deltas in two streams; raw snapshots before all, and after the second delta. */
let recorded: RecordedEtcd;
let states: readonly LiveState[];
let second: string;

test.before(async () => {
  const etcd = await EtcdServer.start();
  recorded = new RecordedEtcd(etcd, "verified deltas");
  try {
    await etcd.ctl("put", "first", "1");
    await recorded.base();
    for (let round = 0; round < 4; round++) {
      await recorded.history.run(10);
      const { compactRevision } = await recorded.history.observe();
      await recorded.flush({ compactRevision });
      if (round !== 1) continue;
      second = await recorded.base();
      // What came between the observation and the raw snapshot.
      await recorded.flush({ compactRevision });
      recorded.beginStream();
    }
    ({ states } = recorded.history);
  } finally {
    await recorded.close();
    await etcd.stop();
  }
});

function copyOfStore() {
  const container = newFolder();
  cpSync(recorded.folder, container, { recursive: true });
  return { container, config: { provider: "Local", container, prefix: "" } as const };
}

/** The events of a verification, and the ranges of it by state. */
async function verify(primary: Config, secondary?: Config, prove = true) {
  const events: OperationEvent[] = [];
  const context = { ...recorded.context, report: (event: OperationEvent) => events.push(event) };
  const result = await verifyHistory({ primary, secondary, prove, spoolDir: newFolder() }, context);
  const ranges = events.flatMap((event) =>
    event.type === "delta-range" ? [`${event.state} ${event.first}-${event.last}`] : [],
  );
  return { result, ranges, events };
}

type Config = ReturnType<typeof copyOfStore>["config"];

/** First and last revision of a delta. */
function rangeOf(delta: string | undefined): [number, number] {
  const [, first, last] = /DELTA\d+-(\d+)-(\d+)-/.exec(delta ?? "") ?? [];
  return [Number(first), Number(last)];
}

const ofBase = () => parseSnapshotName(second)?.lastRevision ?? 0;
const newest = () => rangeOf(recorded.deltas.at(-1))[1];

test.serial("what a later raw snapshot has too is proven, and the rest present", async (t) => {
  const { result, ranges, events } = await verify(copyOfStore().config);
  t.deepEqual(result, { lost: 0, damaged: 0, different: 0 });
  t.deepEqual(ranges, [
    "present 2-2",
    `proven 3-${ofBase()}`,
    `present ${ofBase() + 1}-${newest()}`,
  ]);
  const compared = events.filter((event) => event.type === "base-compared");
  t.deepEqual(
    compared.map(({ outcome, base }) => [outcome, base]),
    [["proven", second]],
  );
});

test.serial(
  "a raw snapshot is not compared with an earlier one while deltas in between are missing",
  async (t) => {
    const { container, config } = copyOfStore();
    rmSync(join(container, recorded.deltas[0] ?? ""));
    const location = { kind: "snapshot", stores: [config], snapshot: "latest" } as const;
    const { context } = recorded;
    const proof = await withHistory({ location }, context, (access) =>
      proveBase({ ...access, spoolDir: newFolder() }, second, context),
    );
    t.like(proof, { outcome: "no-log", first: 3, last: ofBase() });
    // What is missing is told of the ranges.
    const events = (await verify(config)).events;
    t.false(events.some((event) => event.type === "base-compared"));
  },
);

test.serial("what one of two sites lacks is delayed, and what both lack is lost", async (t) => {
  const [one, other] = [copyOfStore(), copyOfStore()];
  const [late, lost] = [recorded.deltas.at(-1), recorded.deltas.at(-2)];
  rmSync(join(one.container, late ?? ""));
  for (const { container } of [one, other]) rmSync(join(container, lost ?? ""));
  const { result, ranges } = await verify(one.config, other.config, false);
  const [first, last] = rangeOf(lost);
  t.is(result.lost, last - first + 1);
  t.deepEqual(ranges.slice(-2), [
    `lost ${first}-${last}`,
    `delayed ${rangeOf(late)[0]}-${newest()}`,
  ]);
  const { code, stdout } = await backuptool([
    "delta",
    "verify",
    "--no-prove",
    "--store",
    `file://${one.container}`,
    "--secondary-store",
    `file://${other.container}`,
  ]);
  t.is(code, 3);
  t.regex(stdout.toString(), new RegExp(`^lost: revisions ${first} to ${last}$`, "m"));
});

test.serial("a damaged delta counts as missing at its site, and is named", async (t) => {
  const { container, config } = copyOfStore();
  const delta = recorded.deltas.at(-1) ?? "";
  const bytes = readFileSync(join(container, delta));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  writeFileSync(join(container, delta), bytes);
  const { result, events } = await verify(config, undefined, false);
  const [first, last] = rangeOf(delta);
  t.deepEqual(result, { lost: last - first + 1, damaged: 1, different: 0 });
  const damaged = events.filter((event) => event.type === "snapshot-damaged");
  t.deepEqual(
    damaged.map(({ snapshot, file }) => `${snapshot}/${file}`),
    [delta],
  );
});

test.serial("a store without deltas is an error", async (t) => {
  const container = newFolder();
  await t.throwsAsync(verify({ provider: "Local", container, prefix: "" }), { code: "NO_DELTAS" });
});

test.serial("compact makes a full backup that restores without the deltas", async (t) => {
  const { container, config } = copyOfStore();
  const events: OperationEvent[] = [];
  const context = { ...recorded.context, report: (event: OperationEvent) => events.push(event) };
  const location = { kind: "snapshot", stores: [config], snapshot: "latest" } as const;
  const options = compactOptions(location, 3600);
  t.deepEqual(await compactHistory(options, context), { complete: true });
  const [made] = events.filter((event) => event.type === "history-compacted");
  t.is(made?.revision, newest());
  for (const delta of recorded.deltas) rmSync(join(container, delta));
  const state = states.at(-1);
  if (state === undefined) return t.fail();
  const out = join(newFolder(), "etcd.db");
  const target = { kind: "revision", revision: state.revision } as const;
  await writeEtcdSnapshot({ ...options, target, out }, context);
  const [written] = events.filter((event) => event.type === "etcd-snapshot-made");
  const [chosen] = events.filter((event) => event.type === "etcd-history").slice(-1);
  t.is(chosen?.base, made?.snapshot);
  if (written === undefined) return t.fail();
  const judge = await EtcdServer.start();
  t.teardown(() => judge.stop());
  await judgeDatabase(t, judge, out, state, written);
  // There is nothing more to merge.
  const before = events.length;
  await compactHistory(options, context);
  t.regex(JSON.stringify(events.slice(before)), /no deltas to merge/);
});
