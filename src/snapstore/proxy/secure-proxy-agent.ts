import { Agent } from "node:https";
import { isIP } from "node:net";

type Connect = Agent["createConnection"];

/**
 * Connects to a proxy that speaks TLS. It verifies the certificate for the name of the proxy, where Node would use the
 * Host header.
 */
export class SecureProxyAgent extends Agent {
  override createConnection(...[options, done]: Parameters<Connect>): ReturnType<Connect> {
    const host = options.host ?? "";
    return super.createConnection({ ...options, servername: isIP(host) ? "" : host }, done);
  }
}
