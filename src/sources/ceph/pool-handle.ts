import type { SharedMemory } from "../../threads/shared-memory.js";
import type { LibradosCluster, OpenPool } from "./librados.js";

/** A pool that is open on a connection. */
export interface PoolHandle extends OpenPool {
  readonly native: LibradosCluster;
  readonly name: string;
  /** For pages of large objects; shared by all pools of the connection. */
  readonly memory: SharedMemory;
}
