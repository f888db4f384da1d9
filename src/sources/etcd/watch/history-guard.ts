import type { ClusterState } from "../connection.js";
import { WatchEnded } from "./watch-ended.js";

/** What linearizable reads and events have shown. None of it goes back while a cluster lives. */
interface Reached {
  readonly revision: number;
  readonly raftTerm: number;
  readonly raftIndex: number;
}

/** Notices that etcd was restored: it is another cluster, or has not reached what it had reached before. */
export class HistoryGuard {
  #clusterId: bigint | undefined;
  #reached: Reached;

  /** @param revision that etcd had */
  constructor(revision: number, clusterId: bigint | undefined) {
    this.#clusterId = clusterId;
    this.#reached = { revision, raftTerm: 0, raftIndex: 0 };
  }

  /** Before a read begins: what it must have reached. */
  get reached(): Reached {
    return this.#reached;
  }

  /** An event of this revision was seen. */
  sawRevision(revision: number): void {
    if (revision > this.#reached.revision) this.#reached = { ...this.#reached, revision };
  }

  /** Whether it is the id of the cluster; the first one is. */
  isCluster(clusterId: bigint): boolean {
    this.#clusterId ??= clusterId;
    return clusterId === this.#clusterId;
  }

  /** @throws WatchEnded `restored` */
  checkCluster(clusterId: bigint): void {
    if (this.isCluster(clusterId)) return;
    const [now, before] = [clusterId.toString(16), (this.#clusterId ?? 0n).toString(16)];
    throw new WatchEnded("restored", `it is cluster ${now} now, not ${before}`);
  }

  /**
   * Checks the answer to a linearizable read.
   *
   * @param before what {@link reached} was when the read began
   * @param raftIndex that the member has applied since the read
   * @throws WatchEnded `restored`
   */
  check(state: ClusterState, before: Reached, raftIndex = before.raftIndex): void {
    this.checkCluster(state.clusterId);
    if (state.revision < before.revision) {
      throw goneBack("revision", state.revision, before.revision);
    }
    if (state.raftTerm < before.raftTerm) {
      throw goneBack("raft term", state.raftTerm, before.raftTerm);
    }
    if (raftIndex < before.raftIndex) {
      throw goneBack("raft index", raftIndex, before.raftIndex);
    }
    const reached = this.#reached;
    this.#reached = {
      revision: Math.max(reached.revision, state.revision),
      raftTerm: Math.max(reached.raftTerm, state.raftTerm),
      raftIndex: Math.max(reached.raftIndex, raftIndex),
    };
  }
}

function goneBack(what: string, now: number, before: number): WatchEnded {
  return new WatchEnded("restored", `its ${what} is ${now}, after ${before}: it was restored`);
}
