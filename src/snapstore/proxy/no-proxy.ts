import { BlockList, isIP } from "node:net";

/**
 * Which hosts the value of NO_PROXY excludes, by the rules of Go's httpproxy, so that rclone decides the same:
 * `*` all; a name itself and every name below it; `.name` and `*.name` the names below it alone; an address; a
 * network such as `10.0.0.0/8`. A name or an address may be followed by a port.
 */
export function noProxy(value: string): (host: string, port: number) => boolean {
  const rules = value
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .map((entry) => ruleOf(entry.toLowerCase()));
  return (host, port) => rules.some((excludes) => excludes(host, port));
}

type Rule = (host: string, port: number) => boolean;

function ruleOf(entry: string): Rule {
  if (entry === "*") return () => true;
  const network = /^(.+)\/(\d{1,3})$/.exec(entry);
  if (network !== null) return networkRule(network[1] ?? "", Number(network[2]));
  const { name, port } = splitPort(entry);
  const address = addressText(name);
  if (address !== undefined) return (host, at) => host === address && (port ?? at) === at;
  const below = name.replace(/^\*?\.?/, ".");
  const itself = name.startsWith(".") || name.startsWith("*.") ? undefined : name;
  return (host, at) => (host === itself || host.endsWith(below)) && (port ?? at) === at;
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

/** An address in the one form that URLs have it in. */
function addressText(name: string): string | undefined {
  const family = isIP(name);
  if (family === 0) return undefined;
  return family === 4 ? name : new URL(`http://[${name}]`).hostname.slice(1, -1);
}
