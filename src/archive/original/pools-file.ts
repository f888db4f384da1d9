import { FolderFiles, readWhole, withFile } from "../backup-files.js";
import { damaged } from "../errors.js";
import { POOLS_NAME } from "./format.js";
import { isMissing } from "./frames.js";

const MAX_POOLS_BYTES = 1 << 20;

/** The names in pools.txt, which is not encrypted: everyone with access to the archive can change it. */
export async function readPools(folder: string): Promise<{ pools: string[]; gap?: string }> {
  const tooLong = () => damaged("it is too long", { file: POOLS_NAME });
  try {
    const bytes = await withFile(new FolderFiles(folder), POOLS_NAME, (file) =>
      readWhole(file, MAX_POOLS_BYTES, tooLong),
    );
    const names = bytes.toString("utf8").split("\n");
    return { pools: names.filter((name) => name !== "") };
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { pools: [], gap: `${POOLS_NAME} is missing: pools without objects are unknown` };
  }
}
