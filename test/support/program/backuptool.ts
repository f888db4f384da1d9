import { fileURLToPath } from "node:url";
import { type Result, type RunOptions, runProcess } from "./processes.js";

export const PROGRAM = fileURLToPath(new URL("../../../src/cli/main.js", import.meta.url));
export const PASSPHRASE = "correct horse battery staple";

/** Runs the built program without a terminal, with the passphrase of the tests in the environment. */
export function backuptool(args: readonly string[], options: RunOptions = {}): Promise<Result> {
  return runProcess(process.execPath, [PROGRAM, ...args], {
    ...options,
    // At the default cost, keys took a fifth of the time of these tests (measured on eleven files).
    env: { BACKUPTOOL_PASSPHRASE: PASSPHRASE, BACKUPTOOL_KDF: "low-memory", ...options.env },
  });
}

/** Arguments of a create of an etcd alone. */
export function createOfEtcd(
  etcd: { readonly endpoint: string },
  ...args: readonly string[]
): string[] {
  return ["create", "--skip-ceph", "--etcd", etcd.endpoint, ...args];
}

/** Flags for the test cluster as its administrator. */
export function cephFlags(): string[] {
  return ["--cephconf", env("CEPH_CONF"), "--keyring", env("CEPH_KEYRING_ADMIN")];
}

export function env(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set: run the tests with npm test`);
  return value;
}

export function lines(output: Buffer): string[] {
  return output.toString().trimEnd().split("\n");
}
