import { hasFunctions, loadAddon } from "../../native-addon.js";
import type { SharedMemory } from "../../threads/shared-memory.js";
import { CephError } from "./errors.js";
import type { NameBatch, ObjectContents, StatBatch } from "./types.js";

/**
 * Called once at the end of each call: with 0 and the result, or with a negative errno. Never before the call returns,
 * except with `ECANCELED` on a closed connection.
 */
export type Callback<Result> = (code: number, result?: Result) => void;

/** Names of objects in the form of the binding. */
export type PackedNames = Omit<NameBatch, "count">;

/** How to connect; `settings` replace those of the file `conf`. */
interface ConnectRequest {
  readonly user: string;
  readonly cluster: string;
  readonly conf: string;
  readonly settings: readonly (readonly [option: string, value: string])[];
}

/** Approximate counts of a pool. */
export interface PoolStats {
  readonly name: string;
  readonly objects: number;
  readonly bytes: number;
}

export interface OpenPool {
  /** The number of the pool in calls of this connection. */
  readonly number: number;
  /** Bytes; all appends to an object but the last must be multiples of it. 0 or 1: no restriction. */
  readonly alignment: number;
  /** The unique id of the pool in the cluster. */
  readonly id: number;
}

/** A pool that is open on a connection. */
export interface PoolHandle extends OpenPool {
  readonly native: LibradosCluster;
  readonly name: string;
  /** For pages of large objects; shared by all pools of the connection. */
  readonly memory: SharedMemory;
}

/** Asks for about `count` names of one of `slices` equal parts of a pool. */
interface ListRequest {
  readonly slice: number;
  readonly slices: number;
  /** Where the page starts: empty, or `next` of the page before. */
  readonly cursor: string;
  readonly count: number;
}

export interface ListPage {
  readonly names: NameBatch;
  /** Empty when this was the last page. */
  readonly next: string;
}

/** What to read of each object, beside its stat. */
export interface ReadRequest {
  /** Whether to read xattrs, the omap's header, and the entry under the empty omap key, which no page has. */
  readonly attributes: boolean;
  /** The data of object `i` goes to `memory` at `i * length`. */
  readonly data?: { readonly offset: number; readonly length: number; readonly memory: Uint8Array };
  /** A page of the omap. */
  readonly omap?: { readonly after: Uint8Array; readonly count: number };
}

/** Keys and values: key, value, key, value, … */
export type FlatPairs = readonly Buffer[];

export interface ReadAttributes {
  readonly xattrs: FlatPairs;
  readonly omapHeader: Buffer;
  readonly omap: FlatPairs;
  /** Whether the omap goes on after this page. */
  readonly omapMore: boolean;
}

/** What was read of each object, by its index. Only `errno` counts where it is not 0. */
export interface ReadBatch extends StatBatch {
  /** Bytes. */
  readonly dataLength: Float64Array;
  /** Undefined for an object without any of the requested attributes. */
  readonly attributes: readonly (ReadAttributes | undefined)[];
}

/** Whether an object is replaced, or data, xattrs and omap entries are added to it. */
export interface WriteMode {
  readonly replace: boolean;
  /** Where the data goes, bytes. */
  readonly offset: number;
}

/** The class `Cluster` of `native/rados`: a connection. All calls but `close` return at once. */
export interface LibradosCluster {
  /** The result is the cluster's fsid. */
  connect(request: ConnectRequest, done: Callback<string>): void;
  listPools(done: Callback<readonly string[]>): void;
  /** Pools that do not exist are missing in the result. */
  poolStats(names: readonly string[], done: Callback<readonly PoolStats[]>): void;
  /** The result is that of `ceph osd pool ls detail`, as JSON. */
  poolDetails(done: Callback<string>): void;
  /** Likewise; `[]`, without a call of the monitors, when no pool of `names` has a cache tier or is one. */
  poolTiers(names: readonly string[], done: Callback<string>): void;
  openPool(name: string, done: Callback<OpenPool>): void;
  closePool(pool: number): void;
  listObjects(pool: number, request: ListRequest, done: Callback<ListPage>): void;
  stat(pool: number, names: PackedNames, done: Callback<StatBatch>): void;
  /** Counts objects that are deleted but kept by snapshots. */
  countOnlyClones(pool: number, names: PackedNames, done: Callback<number>): void;
  /** The memory of `request` is written to until the call ends. */
  read(pool: number, names: PackedNames, request: ReadRequest, done: Callback<ReadBatch>): void;
  /** Neither `objects` nor its arrays and bytes may change until the call ends. The result has an errno for each object. */
  write(
    pool: number,
    names: PackedNames,
    objects: readonly ObjectContents[],
    mode: WriteMode,
    done: Callback<Int32Array>,
  ): void;
  /** The result has an errno for each object. */
  remove(pool: number, names: PackedNames, done: Callback<Int32Array>): void;
  /** Calls under way end with `ECANCELED` before this returns, after a second at most. */
  close(): void;
}

/** The addon `rados`. */
interface Binding {
  readonly Cluster: new () => LibradosCluster;
  /** The version of librados' interface. */
  readonly version: string;
}

/** The version of the declarations above; `native/rados/addon.cc` has the same number. */
const INTERFACE = 1;

function isBinding(addon: unknown): addon is Binding {
  return hasFunctions(addon, ["Cluster"]) && "interface" in addon && addon.interface === INTERFACE;
}

/** Makes a connection handle. @throws CephError `CEPH_UNAVAILABLE` on a machine without librados */
export function newLibradosCluster(): LibradosCluster {
  return withBinding((binding) => new binding.Cluster());
}

/** The version of librados' interface, such as 3.0.0. @throws CephError `CEPH_UNAVAILABLE` likewise */
export function libradosVersion(): string {
  return withBinding((binding) => binding.version);
}

function withBinding<T>(use: (binding: Binding) => T): T {
  try {
    const addon = loadAddon("rados");
    if (!isBinding(addon)) throw new Error("it was built for another version of this program");
    return use(addon);
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
