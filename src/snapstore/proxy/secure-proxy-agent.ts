import { Agent } from "node:https";
import { isIP } from "node:net";

type Connect = Agent["createConnection"];

/**
 * Connections to a proxy that speaks TLS: it asks for the certificate of the proxy, where Node would ask for that of
 * the server in the Host header.
 */
export class SecureProxyAgent extends Agent {
  override createConnection(...[options, done]: Parameters<Connect>): ReturnType<Connect> {
    const host = options.host ?? "";
    return super.createConnection({ ...options, servername: isIP(host) ? "" : host }, done);
  }
}
