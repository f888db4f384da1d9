import { type BackupFile, FolderFiles, readWhole } from "../backup-files.js";
import { damaged } from "../errors.js";
import { POOLS_NAME } from "./format.js";
import { isMissing } from "./frames.js";

const MAX_POOLS_BYTES = 1 << 20;

/** pools.txt is not encrypted: anyone with access to the archive can change it. */
export async function readPools(folder: string): Promise<{ pools: string[]; gap?: string }> {
  let file: BackupFile;
  try {
    file = await new FolderFiles(folder).open(POOLS_NAME);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { pools: [], gap: `${POOLS_NAME} is not there: pools without objects are not known` };
  }
  try {
    const tooLong = () => damaged("it is too long", { file: POOLS_NAME });
    const text = (await readWhole(file, MAX_POOLS_BYTES, tooLong)).toString("utf8");
    return { pools: text.split("\n").filter((name) => name !== "") };
  } finally {
    await file.close();
  }
}
