import { BackupToolError, UsageError } from "../../errors.js";
import { quoted } from "../../quoted.js";
import {
  AUTH_DISABLE,
  AUTH_ENABLE,
  ROLE_ADD,
  ROLE_DELETE,
  ROLE_LIST,
  USER_ADD,
  USER_DELETE,
  USER_GET,
  USER_GRANT_ROLE,
  USER_LIST,
} from "./auth-rpc.js";
import { EtcdConnection } from "./connection.js";
import { EtcdError } from "./errors.js";
import { loginOf } from "./login.js";
import type { EtcdOptions } from "./options.js";

/** The role marks a quarantine of this program: with it a later run knows that it may lift what it finds. */
export const QUARANTINE_ROLE = "backuptool-quarantine";
/** Authentication cannot be enabled without it. */
const ROOT = "root";

/**
 * Keeps the clients of an etcd without authentication out for a while: authentication is enabled, and `root` alone has a
 * login. Its password is the operator's, so neither a run that is killed nor a lost machine locks anybody out. What etcd
 * does not check again goes on: watches that are open, and the renewal of leases.
 */
export class EtcdQuarantine {
  readonly #connection: EtcdConnection;
  readonly #options: EtcdOptions;
  readonly #password: string;
  #mayKeepOut = false;

  private constructor(connection: EtcdConnection, options: EtcdOptions, password: string) {
    this.#connection = connection;
    this.#options = options;
    this.#password = password;
  }

  /** @throws UsageError without the login of root; EtcdError, InterruptedError */
  static async open(options: EtcdOptions, signal: AbortSignal): Promise<EtcdQuarantine> {
    const login = loginOf(options);
    if (login?.user !== ROOT || login.password === "") {
      throw new UsageError("a quarantine of etcd needs a user root and a password", {
        hint: "choose a password and keep it: it opens etcd until the quarantine is lifted",
        settings: ["user", "password"],
      });
    }
    return new EtcdQuarantine(await EtcdConnection.open(options, signal), options, login.password);
  }

  /** Whether clients may be kept out by now: a call that failed can have taken effect. */
  get mayKeepOut(): boolean {
    return this.#mayKeepOut;
  }

  /**
   * Keeps everybody but root out. Resolves with whether a quarantine was there already, from a run that did not end.
   *
   * @throws BackupToolError `ETCD_QUARANTINE` where it cannot, and nothing is changed; EtcdError, InterruptedError
   */
  async begin(signal: AbortSignal): Promise<{ resumed: boolean }> {
    const { isOn, isMarked, users } = await this.#state(signal);
    if (isOn && isMarked && (await this.#isOurs(users, signal))) {
      this.#mayKeepOut = true;
      return { resumed: true };
    }
    if (isOn) {
      throw cannot(
        "authentication is enabled, and its users keep their permissions",
        "stop the clients instead",
      );
    }
    const others = users.filter((user) => user !== ROOT);
    if (others.length > 0) {
      throw cannot(
        `it has the users ${others.map(quoted).join(", ")}, who would get in`,
        "stop the clients instead, or delete these users",
      );
    }
    const call = this.#connection;
    if (users.includes(ROOT)) {
      if (!isMarked || !(await this.#isOwnRoot(signal))) {
        throw cannot(
          "it has a user root, whose password cannot be checked while authentication is disabled",
          "stop the clients instead, or delete that user",
        );
      }
      await call.call(USER_DELETE, { name: ROOT }, { signal });
    }
    // The mark comes first: what comes after it belongs to a quarantine, wherever this run ends.
    if (!isMarked) await call.call(ROLE_ADD, { name: QUARANTINE_ROLE }, { signal });
    await call.call(USER_ADD, { name: ROOT, password: this.#password }, { signal });
    await call.call(USER_GRANT_ROLE, { user: ROOT, role: QUARANTINE_ROLE }, { signal });
    await call.call(USER_GRANT_ROLE, { user: ROOT, role: ROOT }, { signal });
    this.#mayKeepOut = true;
    await call.call(AUTH_ENABLE, {}, { signal });
    if (!(await this.#isOn(signal))) {
      throw new EtcdError("ETCD_IO", "etcd lets clients in although authentication is enabled");
    }
    return { resumed: false };
  }

  /**
   * Lets everybody in again, and removes what {@link begin} made. Resolves with whether there was anything to lift.
   *
   * @throws BackupToolError `ETCD_QUARANTINE` where authentication is enabled by somebody else
   */
  async lift(signal: AbortSignal): Promise<boolean> {
    const { isOn, isMarked, users } = await this.#state(signal);
    if (!isMarked && !isOn) return false;
    if (isOn) {
      if (!isMarked) throw notOurs(`it has no role ${QUARANTINE_ROLE}`);
      if (!(await this.#isOurs(users, signal))) {
        throw notOurs(
          `its users are ${users.map(quoted).join(", ")}, and not root alone with the role ${QUARANTINE_ROLE}`,
          `if a quarantine has left that role, delete it with \`etcdctl role delete ${QUARANTINE_ROLE}\``,
        );
      }
      this.#mayKeepOut = true;
      await this.#connection.call(AUTH_DISABLE, {}, { signal });
    }
    this.#mayKeepOut = false;
    if (users.includes(ROOT) && (isOn || (await this.#isOwnRoot(signal)))) {
      await this.#connection.call(USER_DELETE, { name: ROOT }, { signal });
    }
    // The mark goes last: a run that ends before it is repeated.
    await this.#connection.call(ROLE_DELETE, { role: QUARANTINE_ROLE }, { signal });
    return true;
  }

  close(): void {
    this.#connection.close();
  }

  async #state(
    signal: AbortSignal,
  ): Promise<{ isOn: boolean; isMarked: boolean; users: readonly string[] }> {
    const isOn = await this.#isOn(signal);
    const { roles = [] } = await this.#connection.call(ROLE_LIST, {}, { signal });
    const { users = [] } = await this.#connection.call(USER_LIST, {}, { signal });
    return { isOn, isMarked: roles.includes(QUARANTINE_ROLE), users };
  }

  /** Whether authentication that is enabled lets nobody in but the root of a quarantine. */
  async #isOurs(users: readonly string[], signal: AbortSignal): Promise<boolean> {
    if (users.length !== 1 || users[0] !== ROOT) return false;
    const { roles = [] } = await this.#connection.call(USER_GET, { name: ROOT }, { signal });
    return roles.includes(QUARANTINE_ROLE);
  }

  /** A root of the operator has other roles. One that was just made has none yet. */
  async #isOwnRoot(signal: AbortSignal): Promise<boolean> {
    const { roles = [] } = await this.#connection.call(USER_GET, { name: ROOT }, { signal });
    return roles.length === 0 || roles.includes(QUARANTINE_ROLE);
  }

  /** Whether a client without a login is kept out: etcd 3.4 has no other way to ask. */
  async #isOn(signal: AbortSignal): Promise<boolean> {
    const anonymous = { ...this.#options, user: undefined, password: undefined };
    try {
      (await EtcdConnection.open(anonymous, signal)).close();
      return false;
    } catch (error) {
      if (error instanceof EtcdError && error.code === "ETCD_AUTH") return true;
      throw error;
    }
  }
}

function notOurs(why: string, hint?: string): BackupToolError {
  return new BackupToolError(
    "ETCD_QUARANTINE",
    `authentication of etcd is enabled, and not by a quarantine: ${why}`,
    { hint },
  );
}

function cannot(why: string, hint: string): BackupToolError {
  return new BackupToolError("ETCD_QUARANTINE", `etcd cannot be kept in quarantine: ${why}`, {
    hint,
    settings: ["no-etcd-quarantine"],
  });
}
