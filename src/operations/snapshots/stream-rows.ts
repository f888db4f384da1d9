import type { Hold } from "../../snapshots/holds.js";
import type { StreamOutline } from "../../snapshots/streams/stream-outline.js";
import { endOf } from "../../snapshots/streams/log-needs.js";
import { compareStreamNames } from "../../snapshots/streams/stream-name.js";
import type { StreamRow, StreamStateName } from "./events.js";
import { heldIn } from "./held-in.js";

/** The streams of one store, and the holds on them by name. */
export interface StreamListing {
  readonly streams: readonly StreamOutline[];
  readonly holds: ReadonlyMap<string, Hold>;
}

/** The rows of one store or of two, oldest first. */
export function* streamRows(
  { streams: primary, holds }: StreamListing,
  other: StreamListing | undefined,
  now: Date,
): Generator<StreamRow> {
  const first = new Map(primary.map((one) => [one.name.text, one]));
  const second = new Map(other?.streams.map((one) => [one.name.text, one]));
  const names = new Map([...second, ...first].map(([text, { name }]) => [text, name]));
  for (const name of [...names.values()].sort(compareStreamNames)) {
    const [one, two] = [first.get(name.text), second.get(name.text)];
    // What either store has of it.
    const shown = [one, two].filter((stream) => stream !== undefined);
    const longest = shown.reduce((a, b) => (b.deltas.length > a.deltas.length ? b : a));
    const base = shown.find((stream) => stream.base !== undefined)?.base;
    const [problem] = shown.flatMap((stream) => stream.problem ?? stream.base?.problem ?? []);
    yield {
      name: name.text,
      time: new Date(name.time * 1000).toISOString(),
      ageSeconds: Math.max(0, Math.floor(now.getTime() / 1000 - endOf(longest))),
      firstRevision: name.firstRevision,
      ...(longest.last !== undefined && { lastRevision: longest.last }),
      deltas: longest.deltas.length,
      bytes: longest.left.bytes,
      ...(base !== undefined && { base: base.state }),
      primary: stateOf(one, longest),
      ...(other !== undefined && { secondary: stateOf(two, longest) }),
      ...(problem !== undefined && { problem }),
      ...heldIn(name.text, holds, other?.holds),
    };
  }
}

function stateOf(stream: StreamOutline | undefined, longest: StreamOutline): StreamStateName {
  if (stream === undefined) return "absent";
  const { base, deltas, gaps, problem } = stream;
  if (problem !== undefined || base?.state === "damaged") return "damaged";
  if (gaps.length > 0) return "gaps";
  if (deltas.length < longest.deltas.length) return "behind";
  return deltas.length === 0 && base?.state !== "complete" ? "unfinished" : "complete";
}
