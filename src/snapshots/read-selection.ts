import type { FileFacts } from "../archive/manifest/manifest.js";

/** Which files of a snapshot are read and verified. */
export type ReadSelection =
  | { readonly kind: "none" }
  | { readonly kind: "all" }
  /** A random selection of this percentage, rounded up. */
  | { readonly kind: "percent"; readonly percent: number }
  /** Group `slice`, from 1, of `slices` groups that divide the files. */
  | { readonly kind: "slice"; readonly slice: number; readonly slices: number };

/** @param random as Math.random */
export function selectFiles(
  files: readonly FileFacts[],
  selection: ReadSelection,
  random: () => number = Math.random,
): FileFacts[] {
  switch (selection.kind) {
    case "none":
      return [];
    case "all":
      return [...files];
    case "slice":
      return files.filter((_, i) => i % selection.slices === selection.slice - 1);
    case "percent": {
      const left = [...files];
      const count = Math.ceil((files.length * selection.percent) / 100);
      return Array.from({ length: count }, () => {
        const at = Math.floor(random() * left.length);
        return left.splice(at, 1);
      }).flat();
    }
  }
}
