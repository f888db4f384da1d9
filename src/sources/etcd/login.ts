import { UsageError } from "../../errors.js";
import type { EtcdOptions } from "./options.js";

export interface Login {
  readonly user: string;
  readonly password: string;
}

/** The user and password of the options; `user:password` splits at the first colon, as in etcdctl. */
export function loginOf(options: EtcdOptions): Login | undefined {
  const { user, password } = options;
  if (user === undefined || user === "") {
    if (password !== undefined && password !== "") {
      throw new UsageError("a password of etcd is set, but no user", {
        hint: "give the user too",
        settings: ["user"],
      });
    }
    return undefined;
  }
  if (password !== undefined) return { user, password };
  const colon = user.indexOf(":");
  if (colon < 0) {
    throw new UsageError("a user of etcd is set, but no password", {
      hint: "give the password, or the user as name:password",
      settings: ["password", "user"],
    });
  }
  return { user: user.slice(0, colon), password: user.slice(colon + 1) };
}
