import type { EtcdHost } from "./host.js";
import type { Login } from "./login.js";
import { AUTHENTICATE } from "./rpc.js";

/** The token that etcd issues for a login. Calls share it until one of them reports it as invalid. */
export class AuthToken {
  readonly #login: Login | undefined;
  readonly #timeoutMs: number;
  #token: Promise<string | undefined> | undefined;

  constructor(login: Login | undefined, timeoutMs: number) {
    this.#login = login;
    this.#timeoutMs = timeoutMs;
  }

  /** What calls under way were sent with; for {@link renew}. */
  get current(): Promise<string | undefined> | undefined {
    return this.#token;
  }

  /** Resolves with the token, or undefined without a login or where etcd has authentication disabled. */
  async get(host: EtcdHost): Promise<string | undefined> {
    if (this.#login === undefined) return undefined;
    this.#token ??= this.#authenticate(host, this.#login);
    const token = this.#token;
    try {
      return await token;
    } catch (error) {
      this.renew(token);
      throw error;
    }
  }

  /** Drops `token`, unless another call has replaced it already. Returns whether there is a login to try again. */
  renew(token: Promise<string | undefined> | undefined): boolean {
    if (this.#token === token) this.#token = undefined;
    return this.#login !== undefined;
  }

  async #authenticate(host: EtcdHost, { user, password }: Login): Promise<string | undefined> {
    try {
      const response = await host.unary({
        method: AUTHENTICATE.name,
        request: AUTHENTICATE.encode({ name: user, password }),
        timeoutMs: this.#timeoutMs,
      });
      return AUTHENTICATE.decode(response).token ?? "";
    } catch (error) {
      // As in etcd's own client, a login is no error where authentication is disabled.
      if (error instanceof Error && /authentication is not enabled/.test(error.message)) {
        return undefined;
      }
      throw error;
    }
  }
}
