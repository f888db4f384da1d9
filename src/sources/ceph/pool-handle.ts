import type { LibradosCluster } from "./librados.js";

/** A pool opened on the binding. */
export interface PoolHandle {
  readonly native: LibradosCluster;
  readonly number: number;
  readonly name: string;
}
