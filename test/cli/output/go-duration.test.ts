import test from "ava";
import fc from "fast-check";
import { goDuration } from "../../../src/cli/output/go-duration.js";

/** What `time.Duration.String` of Go 1.21 prints. */
const GO: readonly (readonly [ns: number, text: string])[] = [
  [0, "0s"],
  [1, "1ns"],
  [999, "999ns"],
  [1_000, "1µs"],
  [1_100, "1.1µs"],
  [999_999, "999.999µs"],
  [2_200_000, "2.2ms"],
  [519_954_700, "519.9547ms"],
  [518_550_988, "518.550988ms"],
  [999_999_999, "999.999999ms"],
  [1_000_000_000, "1s"],
  [3_300_000_000, "3.3s"],
  [60_000_000_000, "1m0s"],
  [245_000_000_000, "4m5s"],
  [245_001_000_000, "4m5.001s"],
  [3_600_000_000_000, "1h0m0s"],
  [18_367_001_000_000, "5h6m7.001s"],
];

test("a duration prints as in Go", (t) => {
  for (const [ns, text] of GO) t.is(goDuration(ns / 1e6), text);
});

test("no digit of a duration is lost", (t) => {
  const units = { ns: 1, µs: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12 };
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 45 }), (ns) => {
      let sum = 0;
      for (const [, number, unit] of goDuration(ns / 1e6).matchAll(/([\d.]+)(ns|µs|ms|s|m|h)/g)) {
        sum += Number(number) * units[unit as keyof typeof units];
      }
      t.is(Math.round(sum), ns);
    }),
  );
});
