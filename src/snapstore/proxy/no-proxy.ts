import { BlockList, isIP } from "node:net";
import { domainToASCII } from "node:url";

/**
 * Parses NO_PROXY by the rules of Go's httpproxy, as rclone does. `*` excludes all hosts; a name excludes itself and
 * its subdomains; `.name` and `*.name` exclude the subdomains; an address, or a network such as `10.0.0.0/8`, excludes
 * addresses. A name or an address may have a port.
 */
export function noProxy(value: string): (host: string, port: number) => boolean {
  const rules = noProxyEntries(value).map((entry) => ruleOf(entry.toLowerCase()));
  return (host, port) => rules.some((excludes) => excludes(host, port));
}

/** The entries of the value, separated by commas or spaces. */
export function noProxyEntries(value: string): string[] {
  return value.split(/[\s,]+/).filter((entry) => entry !== "");
}

type Rule = (host: string, port: number) => boolean;

function ruleOf(entry: string): Rule {
  if (entry === "*") return () => true;
  const network = /^([^%]+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return networkRule(network[1] ?? "", Number(network[2]));
  const { name, port } = splitPort(entry);
  const address = addressText(name);
  if (address !== undefined) return (host, at) => host === address && (port ?? at) === at;
  const [, wildcard = "", rest = ""] = /^(\*?\.)?(.*)$/.exec(name) ?? [];
  // URLs have internationalized names in ASCII form.
  const itself = domainToASCII(rest) || rest;
  const below = `.${itself}`;
  return (host, at) =>
    ((wildcard === "" && host === itself) || host.endsWith(below)) && (port ?? at) === at;
}

function networkRule(base: string, prefix: number): Rule {
  const networks = new BlockList();
  const family = isIP(base);
  if (family === 0 || prefix > (family === 4 ? 32 : 128)) return () => false;
  networks.addSubnet(base, prefix, family === 4 ? "ipv4" : "ipv6");
  return (host) => isIP(host) === family && networks.check(host, family === 4 ? "ipv4" : "ipv6");
}

function splitPort(entry: string): { name: string; port: number | undefined } {
  if (isIP(entry) === 6) return { name: entry, port: undefined };
  const [, name = entry, port] = /^(.+?)(?::(\d+))?$/.exec(entry) ?? [];
  return {
    name: name.replace(/^\[(.*)\]$/, "$1"),
    port: port && port !== "0" ? Number(port) : undefined,
  };
}

/** An address in the canonical form of URLs. */
function addressText(name: string): string | undefined {
  const family = isIP(name);
  if (family === 0) return undefined;
  // URLs have no zone, as in fe80::1%eth0.
  return family === 4 ? name : new URL(`http://[${name.replace(/%.*/, "")}]`).hostname.slice(1, -1);
}
