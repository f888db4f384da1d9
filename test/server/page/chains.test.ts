import test from "ava";
import type { TimelineEntry } from "../../../src/operations/status/site-status.js";
import { type Chain, chainsOf } from "../../../src/server/page/chains.js";
import { healthyStatus, STARTING } from "../../support/server/sample-status.js";

const HOUR = 3_600_000;

function entry(
  name: string,
  hour: number,
  base?: string,
  state: TimelineEntry["state"] = "complete",
): TimelineEntry {
  return {
    name,
    kind: name.startsWith("F") ? "full" : "incremental",
    time: new Date(hour * HOUR).toISOString(),
    state,
    ...(base !== undefined && { base }),
    bytes: 1,
    held: false,
  };
}

function chains(primary: TimelineEntry[], secondary?: TimelineEntry[]): Chain[] {
  const { primary: sample } = healthyStatus().sites;
  if (sample === undefined) throw new Error("the sample has a primary store");
  return chainsOf({
    sites: {
      primary: { ...sample, timeline: primary },
      ...(secondary !== undefined && { secondary: { ...sample, timeline: secondary } }),
    },
  });
}

function names(of: readonly Chain[]): string[] {
  return of.map(({ links }) => links.map(({ name }) => name).join(" "));
}

test("a chain is a full snapshot with all that is based on it, also on branches", (t) => {
  const found = chains([
    entry("I4", 4, "I2"),
    entry("I3", 3, "F1"),
    entry("I2", 2, "F1"),
    entry("F1", 1),
    entry("I6", 6, "F5"),
    entry("F5", 5),
  ]);
  t.deepEqual(names(found), ["F5 I6", "F1 I2 I3 I4"]);
  t.deepEqual(
    found.map(({ root }) => root),
    ["F5", "F1"],
  );
});

test("a snapshot is one link with the state that each store has of it", (t) => {
  const [chain, ...others] = chains(
    [entry("F1", 1), entry("I2", 2, "F1")],
    [entry("F1", 1), entry("I2", 2, "F1", "damaged"), entry("I3", 3, "I2")],
  );
  t.is(others.length, 0);
  t.deepEqual(
    chain?.links.map(({ name, at }) => [name, at.primary?.state, at.secondary?.state]),
    [
      ["F1", "complete", "complete"],
      ["I2", "complete", "damaged"],
      ["I3", undefined, "complete"],
    ],
  );
});

test("what needs a damaged, unfinished or absent base cannot be restored from that store", (t) => {
  const primary = [
    entry("F1", 1),
    entry("I2", 2, "F1", "damaged"),
    entry("I3", 3, "I2"),
    entry("I4", 4, "I3"),
  ];
  const [chain] = chains(primary, [entry("F1", 1), entry("I3", 3, "I2"), entry("I4", 4, "I3")]);
  t.deepEqual(
    chain?.links.map(({ name, unrestorableAt }) => [name, ...unrestorableAt]),
    [["F1"], ["I2"], ["I3", "primary", "secondary"], ["I4", "primary", "secondary"]],
  );
});

test("snapshots without their base are chains without a root, each with what is based on it", (t) => {
  const found = chains([
    entry("I3", 3, "I2"),
    entry("I2", 2, "missing"),
    entry("I9", 9, "missing"),
  ]);
  t.deepEqual(names(found), ["I9", "I2 I3"]);
  t.deepEqual(
    found.map(({ root }) => root),
    [undefined, undefined],
  );
});

test("a base that only the other store has joins the chain", (t) => {
  const found = chains([entry("I2", 2, "missing")], [entry("I2", 2, "F1"), entry("F1", 1)]);
  t.deepEqual(names(found), ["F1 I2"]);
  t.deepEqual(found[0]?.links[1]?.unrestorableAt, ["primary"]);
});

test("a base that is older than the timeline is the root, and taken to be there", (t) => {
  const [chain] = chains([entry("I3", 3, "I2"), entry("I2", 2, "F1")]);
  t.is(chain?.root, "F1");
  t.deepEqual(
    chain?.links.map(({ unrestorableAt }) => unrestorableAt.length),
    [0, 0],
  );
});

test("bases in a circle end, and cannot be restored", (t) => {
  const found = chains([entry("I1", 1, "I2"), entry("I2", 2, "I1"), entry("I3", 3, "I3")]);
  t.is(found.flatMap(({ links }) => links).length, 3);
  for (const { links, root } of found) {
    t.is(root, undefined);
    for (const { unrestorableAt } of links) t.deepEqual(unrestorableAt, ["primary"]);
  }
});

test("a server that knows no store has no chains", (t) => {
  t.deepEqual(chainsOf(STARTING), []);
});
