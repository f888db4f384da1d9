import { damaged } from "../errors.js";
import { openRegularFile } from "../regular-file.js";
import { POOLS_NAME } from "./format.js";
import { isMissing } from "./frames.js";

const MAX_POOLS_BYTES = 1 << 20;

/** pools.txt is open: whoever holds the archive could have written it. */
export async function readPools(folder: string): Promise<{ pools: string[]; gap?: string }> {
  let handle: Awaited<ReturnType<typeof openRegularFile>>;
  try {
    handle = await openRegularFile(folder, POOLS_NAME);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { pools: [], gap: `${POOLS_NAME} is not there: pools without objects are not known` };
  }
  try {
    if ((await handle.stat()).size > MAX_POOLS_BYTES) {
      throw damaged("it is too long", { file: POOLS_NAME });
    }
    const text = await handle.readFile("utf8");
    return { pools: text.split("\n").filter((name) => name !== "") };
  } finally {
    await handle.close();
  }
}
