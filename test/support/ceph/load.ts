import { setMaxListeners } from "node:events";
import { InterruptedError } from "../../../src/errors.js";
import { CephCluster, type CephOptions } from "../../../src/sources/ceph/cluster.js";
import { packNames } from "../../../src/sources/ceph/name-batch.js";
import type { CephPool } from "../../../src/sources/ceph/pool.js";
import type { ObjectName, WriteObject } from "../../../src/sources/ceph/types.js";
import { env } from "../program/backuptool.js";

/** Options for the test cluster; by default as its administrator. */
export function cephOptions(more: Partial<CephOptions> = {}): CephOptions {
  return { conf: env("CEPH_CONF"), keyring: env("CEPH_KEYRING_ADMIN"), ...more };
}

/** Timeouts longer than those of ava: they never expire in a test. */
export const STUCK = { opTimeoutSeconds: 1200, connectTimeoutSeconds: 1200 };

/** A signal that never aborts. */
export const NEVER: AbortSignal = new AbortController().signal;
// Each call under way adds a listener.
setMaxListeners(0, NEVER);

export function objectName(name: string | Uint8Array): ObjectName {
  return {
    namespace: Buffer.alloc(0),
    locator: Buffer.alloc(0),
    name: Buffer.from(name as string),
  };
}

export function objectOf(name: string | Uint8Array, more: Partial<WriteObject> = {}): WriteObject {
  return {
    ...objectName(name),
    data: [],
    mtime: 1_700_000_000_123_456_789n,
    xattrs: [],
    omapHeader: Buffer.alloc(0),
    omap: [],
    ...more,
  };
}

/** An endless load of all operations on objects. */
export class Load {
  readonly cluster: CephCluster;
  /** Calls that were answered, and calls that a close interrupted. */
  answered = 0;
  interrupted = 0;
  underWay = 0;
  readonly #pool: CephPool;
  #ended = false;

  private constructor(cluster: CephCluster, pool: CephPool) {
    this.cluster = cluster;
    this.#pool = pool;
  }

  static async start(pool: string, options: CephOptions = cephOptions()): Promise<Load> {
    const cluster = await CephCluster.connect(options, NEVER);
    const load = new Load(cluster, await cluster.openPool(pool));
    for (let lane = 0; lane < 8; lane++) load.#fill(lane);
    return load;
  }

  /** Starts no more calls. */
  end(): void {
    this.#ended = true;
  }

  /** Each lane keeps some hundred objects under way. */
  #fill(lane: number): void {
    const names = Array.from({ length: 200 }, (_, i) => `load-${lane}-${i}`);
    const batch = packNames(names.map(objectName));
    const data = [Buffer.alloc(4000, lane)];
    const pairs = Array.from(
      { length: 5 },
      (_, i) => [Buffer.from([i]), Buffer.alloc(100)] as const,
    );
    const objects = names.map((name) =>
      objectOf(name, { data, xattrs: pairs.slice(1), omap: pairs }),
    );
    const pool = this.#pool;
    this.#repeat(() => pool.write(objects, NEVER));
    this.#repeat(() => pool.stat(batch, NEVER));
    this.#repeat(() => (lane === 0 ? pool.remove(batch, NEVER) : this.#readAll()));
  }

  async #readAll(): Promise<void> {
    const listed = this.#pool.list({ slices: 2, pageSize: 300, signal: NEVER });
    for await (const group of this.#pool.read(listed, { memoryBytes: 16 << 20, signal: NEVER })) {
      for (const object of group.objects) object.release();
      this.answered++;
    }
  }

  async #repeat(call: () => Promise<unknown>): Promise<void> {
    while (!this.#ended) {
      this.underWay++;
      try {
        await call();
        this.answered++;
      } catch (error) {
        if (!(error instanceof InterruptedError)) throw error;
        this.interrupted++;
        return;
      } finally {
        this.underWay--;
      }
    }
  }
}
