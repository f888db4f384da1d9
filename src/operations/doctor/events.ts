import type { Check } from "./check.js";

/** What `doctor` has to say. */
export type DoctorEvent =
  | ({ type: "check" } & Check)
  | { type: "checked"; ok: number; warnings: number; failed: number; skipped: number };
