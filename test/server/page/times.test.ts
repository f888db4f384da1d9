import test from "ava";
import { clockText, momentText, spanText } from "../../../src/server/page/times.js";

test("a span is shown in its two largest units", (t) => {
  for (const [seconds, text] of [
    [-5, "0 s"],
    [0, "0 s"],
    [59.9, "59 s"],
    [60, "1 min"],
    [3599, "59 min"],
    [3600, "1 h"],
    [3661, "1 h 1 min"],
    [86_399, "23 h 59 min"],
    [86_400, "1 d"],
    [90_000, "1 d 1 h"],
    [86_400 * 400, "400 d"],
  ] as const) {
    t.is(spanText(seconds), text);
  }
});

test("a moment is shown in UTC, with its year where that is another one", (t) => {
  const now = new Date("2026-11-28T17:20:05Z");
  t.is(momentText("2026-11-28T17:00:59Z", now), "28 Nov 17:00");
  t.is(momentText("2026-11-28T17:00:00+02:00", now), "28 Nov 15:00");
  t.is(momentText("2025-12-31T23:59:00Z", now), "31 Dec 2025 23:59");
  t.is(momentText("soon", now), "soon");
  t.is(clockText(now), "17:20:05");
});
