import type { Storage } from "@google-cloud/storage";
import type { ProxyAgents } from "../proxy/agents.js";

type Auth = Storage["authClient"];

/** Authorization by Google's library. Concurrent callers share its requests for a token. */
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

  /** Aborts the requests of the library, which would keep the process alive. Their callers fail with the reason. */
  end(reason?: unknown): void {
    this.#ended.abort(reason);
  }
}

/**
 * The library has options for the requests of a client, but does not pass them to the token exchange of an external
 * account, nor to the account behind an impersonated one. Those clients are in undocumented fields. If a later version
 * renames them, their requests get neither proxy nor deadline; a test covers both.
 */
function transportersOf(client: unknown): object[] {
  if (!(client instanceof Object)) return [];
  const [transporter, ...others]: unknown[] = ["transporter", "stsCredential", "sourceClient"].map(
    (name) => Reflect.get(client, name),
  );
  const own = transporter instanceof Object ? [transporter] : [];
  return [...own, ...others.flatMap(transportersOf)];
}

/** Makes the library ignore GOOGLE_APPLICATION_CREDENTIALS, which belongs to another store: it has no option for it. */
export function ignoreCredentialsVariable(auth: Auth): void {
  auth._tryGetApplicationCredentialsFromEnvironmentVariable = async () => null;
}
