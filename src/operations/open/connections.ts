import { CephCluster, type CephOptions } from "../../sources/ceph/cluster.js";
import { EtcdCluster, type EtcdOptions } from "../../sources/etcd/cluster.js";

/**
 * Connections that are made while something else takes its time: deriving keys takes as long. A failure is told to
 * who asks for the connection.
 */
export class Connections {
  readonly etcd: Promise<EtcdCluster> | undefined;
  readonly ceph: Promise<CephCluster> | undefined;
  readonly #abort = new AbortController();

  constructor(
    options: { readonly etcd?: EtcdOptions | undefined; readonly ceph?: CephOptions | undefined },
    signal: AbortSignal,
  ) {
    const either = AbortSignal.any([signal, this.#abort.signal]);
    this.etcd = options.etcd && EtcdCluster.connect(options.etcd, either);
    this.ceph = options.ceph && CephCluster.connect(options.ceph, either);
    this.etcd?.catch(() => {});
    this.ceph?.catch(() => {});
  }

  /** Closes what is there, and gives up what is still on its way. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.ceph?.then(
      (ceph) => ceph.close(),
      () => {},
    );
    await this.etcd?.then(
      (etcd) => etcd.close(),
      () => {},
    );
  }
}
