import { callBinding } from "../../../src/sources/ceph/binding-call.js";
import {
  type LibradosCluster,
  newLibradosCluster,
  type OpenPool,
} from "../../../src/sources/ceph/librados.js";
import { env } from "../program/backuptool.js";
import { NEVER } from "./load.js";

/** The binding itself, connected to the test cluster. */
export interface NativePool {
  readonly native: LibradosCluster;
  readonly number: number;
}

export async function nativePool(pool: string): Promise<NativePool> {
  const native = newLibradosCluster();
  const request = {
    user: "client.admin",
    cluster: "ceph",
    conf: env("CEPH_CONF"),
    settings: [["keyring", env("CEPH_KEYRING_ADMIN")]],
  } as const;
  await callBinding<string>(NEVER, { operation: "connect" }, (done) =>
    native.connect(request, done),
  );
  const { number } = await callBinding<OpenPool>(NEVER, { operation: "open pool", pool }, (done) =>
    native.openPool(pool, done),
  );
  return { native, number };
}
