import { CephCluster, type CephOptions } from "../../sources/ceph/cluster.js";
import type { EtcdCluster, EtcdOptions } from "../../sources/etcd/cluster.js";

/**
 * Connections that are made while keys are derived. Each promise rejects with the error of its connect.
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
    this.etcd = options.etcd && connectEtcd(options.etcd, either);
    this.ceph = options.ceph && CephCluster.connect(options.ceph, either);
    this.etcd?.catch(() => {});
    this.ceph?.catch(() => {});
  }

  /** Closes connections, and aborts those that are being made. */
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

/** Loads gRPC, which takes 40 ms of CPU, only for etcd. */
async function connectEtcd(options: EtcdOptions, signal: AbortSignal): Promise<EtcdCluster> {
  const { EtcdCluster } = await import("../../sources/etcd/cluster.js");
  return await EtcdCluster.connect(options, signal);
}
