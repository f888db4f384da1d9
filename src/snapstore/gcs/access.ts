import type { Storage } from "@google-cloud/storage";
import type { ProxyAgents } from "../proxy/agents.js";

type Auth = Storage["authClient"];

/** Authorization of calls, as the library finds it. All that need a token share the library's calls for it. */
export class GcsAccess {
  readonly #auth: Auth;
  readonly #agents: ProxyAgents;
  readonly #ended = new AbortController();

  constructor(auth: Auth, agents: ProxyAgents) {
    this.#auth = auth;
    this.#agents = agents;
  }

  async headers(url: URL): Promise<Readonly<Record<string, string>>> {
    try {
      const client = await this.#auth.getClient();
      const { signal } = this.#ended;
      const { http, https } = this.#agents;
      const agent = ({ protocol }: URL) => (protocol === "https:" ? https : http);
      for (const transporter of transportersOf(client)) {
        Reflect.set(transporter, "defaults", { signal, agent });
      }
      return { ...(await client.getRequestHeaders(url.href)) };
    } catch (error) {
      throw this.#ended.signal.aborted ? this.#ended.signal.reason : error;
    }
  }

  /** Ends the library's calls, which would keep the process alive: all that share them fail by the reason. */
  end(reason?: unknown): void {
    this.#ended.abort(reason);
  }
}

/**
 * The library takes options for the calls of a client, but passes them neither to the token exchange of an external
 * account nor to the account behind an impersonated one. Those clients are in fields that it does not document: where a
 * later version has them no more, their calls get no proxy and no deadline of their own (a test calls through both).
 */
function transportersOf(client: unknown): object[] {
  if (!(client instanceof Object)) return [];
  const [transporter, ...others]: unknown[] = ["transporter", "stsCredential", "sourceClient"].map(
    (name) => Reflect.get(client, name),
  );
  const own = transporter instanceof Object ? [transporter] : [];
  return [...own, ...others.flatMap(transportersOf)];
}

/** GOOGLE_APPLICATION_CREDENTIALS names another store's key. The library has no option to leave it out. */
export function ignoreCredentialsVariable(auth: Auth): void {
  auth._tryGetApplicationCredentialsFromEnvironmentVariable = async () => null;
}
