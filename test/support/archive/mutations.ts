import type { SeededChoice } from "../seeded-choice.js";

/** Numbers at the limits of decoders. */
const ODD_LENGTHS = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];
/** Heads of CBOR items with absurd lengths. */
const ODD_CBOR = [
  "9affffffff",
  "5a7fffffff",
  "5bffffffffffffffff",
  "bb0000ffffffffffff",
  "9f",
  "ff",
];

type Mutation = (bytes: Buffer, choice: SeededChoice) => Buffer;

const MUTATIONS: readonly Mutation[] = [
  function flipsABit(bytes, choice) {
    const at = choice.below(bytes.length);
    return replaced(bytes, at, Buffer.from([(bytes[at] as number) ^ (1 << choice.below(8))]));
  },
  function writesNoise(bytes, choice) {
    return replaced(bytes, choice.below(bytes.length), choice.bytes(1 + choice.below(16)));
  },
  function writesALength(bytes, choice) {
    const length = Buffer.alloc(4);
    const value = choice.of(ODD_LENGTHS);
    if (choice.below(2) === 0) length.writeUInt32LE(value);
    else length.writeUInt32BE(value);
    return replaced(bytes, choice.below(bytes.length), length);
  },
  function writesCbor(bytes, choice) {
    const head = Buffer.from(choice.of(ODD_CBOR), "hex");
    return replaced(bytes, choice.below(bytes.length), head);
  },
  function cuts(bytes, choice) {
    return bytes.subarray(0, choice.below(bytes.length));
  },
  function leavesOut(bytes, choice) {
    const from = choice.below(bytes.length);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + choice.below(64))]);
  },
  function repeats(bytes, choice) {
    const from = choice.below(bytes.length);
    const to = Math.min(bytes.length, from + 1 + choice.below(600));
    return Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
  },
  function movesAPart(bytes, choice) {
    const from = choice.below(bytes.length);
    const part = bytes.subarray(from, from + 1 + choice.below(600));
    return replaced(bytes, choice.below(bytes.length), part);
  },
  function appends(bytes, choice) {
    return Buffer.concat([bytes, choice.bytes(1 + choice.below(40))]);
  },
  function becomesNoise(_, choice) {
    return choice.bytes(choice.below(300));
  },
];

const ODD_VALUES = [null, -1, 0, 1.5, 2 ** 52, "", "x", [], [null], {}, true, Number.NaN];

/** `value` with one part of it, at any depth, replaced or removed. */
export function mutatedValue(value: unknown, choice: SeededChoice): unknown {
  const inside = typeof value === "object" && value !== null && choice.below(4) > 0;
  const keys = inside ? Object.keys(value) : [];
  if (!inside || keys.length === 0) return choice.of(ODD_VALUES);
  const key = choice.of(keys);
  const entries = Object.entries(value).flatMap(([name, held]) => {
    if (name !== key) return [[name, held]];
    return choice.below(4) === 0 ? [] : [[name, mutatedValue(held, choice)]];
  });
  return Array.isArray(value) ? entries.map(([, held]) => held) : Object.fromEntries(entries);
}

function replaced(bytes: Buffer, at: number, by: Uint8Array): Buffer {
  const out = Buffer.from(bytes);
  out.set(by.subarray(0, bytes.length - at), at);
  return out;
}

/** `bytes` with a few changes, and their names. */
export function mutated(bytes: Buffer, choice: SeededChoice): { bytes: Buffer; how: string } {
  let out = bytes;
  const how: string[] = [];
  for (let left = 1 + choice.below(3); left > 0; left--) {
    const mutation = choice.of(MUTATIONS);
    // An empty value has no part to change.
    if (out.length === 0) break;
    out = mutation(out, choice);
    how.push(mutation.name);
  }
  return { bytes: out, how: how.join(", ") };
}
