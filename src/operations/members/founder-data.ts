import { restoreDataDir } from "../history/data-dir.js";
import type { FounderData } from "./founder.js";

/** A raw snapshot in a file: of `etcdctl snapshot save`, or, without its hash, the database of a member that is stopped. */
export function dataOfFile(
  file: string,
  { skipHashCheck }: { readonly skipHashCheck: boolean },
): FounderData {
  return {
    formerClusterId: undefined,
    makeDataDir: async (dataDir, member, signal) => {
      await restoreDataDir(file, dataDir, { ...member, skipHashCheck }, { signal });
    },
  };
}
