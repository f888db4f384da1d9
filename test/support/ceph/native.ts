import {
  type LibradosCluster,
  type Lists,
  newLibradosCluster,
} from "../../../src/sources/ceph/librados.js";
import { env } from "../program/backuptool.js";

/** The binding alone, connected to the test cluster. */
export interface NativePool {
  readonly native: LibradosCluster;
  readonly number: number;
}

export async function nativePool(pool: string): Promise<NativePool> {
  const native = newLibradosCluster();
  const settings = [["keyring", env("CEPH_KEYRING_ADMIN")]] as const;
  await done((back) => native.connect("client.admin", "ceph", env("CEPH_CONF"), settings, back));
  const numbers = await done((back) => native.openPool(pool, back));
  return { native, number: numbers[0] ?? -1 };
}

function done(start: (back: (code: number, ...lists: Lists) => void) => void): Promise<Lists[0]> {
  return new Promise((resolve, reject) => {
    start((code, numbers) => (code < 0 ? reject(new Error(`errno ${code}`)) : resolve(numbers)));
  });
}
