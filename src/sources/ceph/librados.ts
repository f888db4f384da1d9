import { loadAddon } from "../../native-addon.js";
import { CephError } from "./errors.js";

/** Every call of the binding ends here: 0 or a negative errno first, then what the call says. */
export type Callback<Results extends unknown[] = []> = (code: number, ...results: Results) => void;

/** What the calls that concern no object say. */
export type Lists = [numbers: readonly number[], texts: readonly string[]];

/** One object of a read: its code, and the rest when that is 0. Pairs are flat: key, value, key, … */
export type ReadResult = readonly [
  code: number,
  size: number,
  mtime: bigint,
  version: bigint,
  length: number,
  xattrs: readonly Buffer[] | null,
  omapHeader: Buffer | null,
  omap: readonly Buffer[] | null,
  omapMore: boolean,
];

/** One object of a write. `mode` 1 replaces the object, 0 adds to it. */
export type WriteRequest = readonly [
  mode: 0 | 1,
  offset: number,
  data: readonly Uint8Array[],
  xattrs: readonly Uint8Array[] | null,
  omapHeader: Uint8Array | null,
  omap: readonly Uint8Array[] | null,
  mtime: bigint,
];

/** Parts of an object that a read asks for; add them up. */
export const READ_STAT = 1;
export const READ_DATA = 2;
export const READ_OMAP = 16;
export const READ_ALL = 31;

/** The surface of `native/rados/cluster.cc`. Names are packed as in `NameBatch`. */
export interface LibradosCluster {
  connect(
    user: string,
    cluster: string,
    conf: string,
    options: readonly (readonly [string, string])[],
    done: Callback<Lists>,
  ): void;
  pools(done: Callback<Lists>): void;
  /** Objects and bytes of each pool in `texts`; a pool that there is not is missing. */
  poolStats(names: readonly string[], done: Callback<Lists>): void;
  /** `texts` has what `ceph osd pool ls detail` says, as JSON. */
  poolDetails(done: Callback<Lists>): void;
  /** `texts` has what `ceph osd pool ls detail` says, where a pool of `names` has a cache tier or is one. */
  poolTiers(names: readonly string[], done: Callback<Lists>): void;
  /** `numbers` are the pool for the calls below, the alignment of appends that it wants, or 0, and its id. */
  openPool(name: string, done: Callback<Lists>): void;
  closePool(pool: number): void;
  list(
    pool: number,
    slice: number,
    slices: number,
    cursor: string,
    count: number,
    done: Callback<[names: Uint8Array, offsets: Uint32Array, next: string]>,
  ): void;
  stat(
    pool: number,
    names: Uint8Array,
    offsets: Uint32Array,
    errno: Int32Array,
    size: Float64Array,
    mtime: BigInt64Array,
    version: BigUint64Array,
    done: Callback,
  ): void;
  /** `only[i]` is 1 where an object is deleted and snapshots keep a state of it. */
  onlyClones(
    pool: number,
    names: Uint8Array,
    offsets: Uint32Array,
    errno: Int32Array,
    only: Float64Array,
    done: Callback,
  ): void;
  /** `request` is parts, offset, length, omap entries; object `i` lands at `slots[i]` of `memory`. */
  read(
    pool: number,
    names: Uint8Array,
    offsets: Uint32Array,
    request: Float64Array,
    memory: Uint8Array,
    slots: Float64Array,
    omapAfter: Uint8Array | undefined,
    done: Callback<[readonly ReadResult[]]>,
  ): void;
  write(
    pool: number,
    names: Uint8Array,
    offsets: Uint32Array,
    objects: readonly WriteRequest[],
    errno: Int32Array,
    done: Callback,
  ): void;
  remove(
    pool: number,
    names: Uint8Array,
    offsets: Uint32Array,
    errno: Int32Array,
    done: Callback,
  ): void;
  /** What is under way calls back with `ECANCELED` before this returns. Takes a second at most. */
  close(): void;
}

interface Binding {
  readonly Cluster: new () => LibradosCluster;
  /** Of librados, as it says itself. */
  readonly version: string;
}

/** Makes a connection handle. Throws {@link CephError} `CEPH_UNAVAILABLE` on a machine without librados. */
export function newLibradosCluster(): LibradosCluster {
  return withBinding((binding) => new binding.Cluster());
}

/** The version of librados' interface, such as 3.0.0. Throws `CEPH_UNAVAILABLE` likewise. */
export function libradosVersion(): string {
  return withBinding((binding) => binding.version);
}

function withBinding<T>(use: (binding: Binding) => T): T {
  try {
    return use(loadAddon("rados") as Binding);
  } catch (cause) {
    throw new CephError(
      "CEPH_UNAVAILABLE",
      "ceph: the librados binding cannot be loaded",
      { operation: "load librados" },
      {
        cause,
        hint: String(cause).includes("librados.so.2")
          ? "install librados2 (apt-get install librados2), or leave Ceph out"
          : "install g++, make, python3, librados-dev and libradospp-dev, run `npm rebuild backuptool`, or leave Ceph out",
        settings: ["skip-ceph"],
      },
    );
  }
}
