import type { SharedMemory } from "../../threads/shared-memory.js";
import type { LibradosCluster } from "./librados.js";

/** A pool opened on the binding. */
export interface PoolHandle {
  readonly native: LibradosCluster;
  readonly number: number;
  /** A pool that is removed and made again under its name has another. */
  readonly id: number;
  readonly name: string;
  /** Bytes; all appends but the last to an object must be multiples of it. 0 or 1: no matter. */
  readonly alignment: number;
  /** For the pages of large objects, of all pools. */
  readonly memory: SharedMemory;
}
