import type { ReadSelection } from "../snapshots/read-selection.js";
import { text } from "./kinds.js";

/** Some of the files of a snapshot: a share, or one of several groups. */
export const dataSubset = {
  ...text,
  parse: (given: string, reject: (problem: string, hint: string) => Error): ReadSelection => {
    const [, percent] = /^(\d+(?:\.\d+)?)%$/.exec(given) ?? [];
    if (percent !== undefined && Number(percent) > 0 && Number(percent) <= 100) {
      return { kind: "percent", percent: Number(percent) };
    }
    const [slice = 0, slices = 0] = (/^(\d+)\/(\d+)$/.exec(given) ?? []).slice(1).map(Number);
    if (slice >= 1 && slice <= slices) return { kind: "slice", slice, slices };
    throw reject("is not a share or a group", "write 5%, or 2/10 for the second of ten groups");
  },
} as const;
