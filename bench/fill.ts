import { fileURLToPath } from "node:url";
import { measure } from "./measure.js";

const FILL = fileURLToPath(new URL("../../bench/fill.py", import.meta.url));

/** Fills a pool with objects of random bytes; the same names each time. */
export async function fillPool(pool: string, objects: number, bytes: number): Promise<void> {
  await measure(["/usr/bin/python3", FILL, pool, `${objects}`, `${bytes}`]);
}
