import type { TimelineEntry } from "../../operations/status/site-status.js";
import { type ServerStatus, type Site, SITES } from "../status.js";

/** A snapshot with what each store has of it. */
export interface ChainLink {
  readonly name: string;
  readonly kind: TimelineEntry["kind"];
  /** Milliseconds since 1970. */
  readonly time: number;
  /** Name of its base; undefined for a full one, and where the base is missing. */
  readonly base: string | undefined;
  readonly at: Partial<Readonly<Record<Site, TimelineEntry>>>;
  /** Stores that hold it complete, but not all of its bases. */
  readonly unrestorableAt: readonly Site[];
}

/** A full snapshot with everything that is based on it. */
export interface Chain {
  /** Name of the full snapshot, also where the timeline does not reach back to it; undefined if it is missing. */
  readonly root: string | undefined;
  /** Oldest first; never empty. */
  readonly links: readonly ChainLink[];
}

/** The snapshots of both timelines by their chains, the chain with the newest beginning first. */
export function chainsOf({ sites }: Pick<ServerStatus, "sites">): Chain[] {
  const links = linksOf(sites);
  const chains = new Map<string, { root: string | undefined; links: ChainLink[] }>();
  for (const link of links.values()) {
    const { key, root } = rootOf(link, links);
    const chain = chains.get(key) ?? { root, links: [] };
    const unrestorableAt = SITES.filter((site) => lacksBase(link, site, links));
    chain.links.push({ ...link, unrestorableAt });
    chains.set(key, chain);
  }
  for (const chain of chains.values()) chain.links.sort((a, b) => a.time - b.time);
  return [...chains.values()].sort((a, b) => beginOf(b) - beginOf(a));
}

/** Of its files, in the store that has it. */
export function bytesOf({ at }: ChainLink): number {
  return at.primary?.bytes ?? at.secondary?.bytes ?? 0;
}

function linksOf(sites: ServerStatus["sites"]): Map<string, ChainLink> {
  const links = new Map<string, ChainLink>();
  for (const site of SITES) {
    for (const entry of sites[site]?.timeline ?? []) {
      const { name, kind, time, base } = entry;
      const known = links.get(name);
      links.set(name, {
        name,
        kind,
        time: Date.parse(time) || 0,
        base: knownBase(known?.base) ?? knownBase(base),
        at: { ...known?.at, [site]: entry },
        unrestorableAt: [],
      });
    }
  }
  return links;
}

function knownBase(base: string | undefined): string | undefined {
  return base === "missing" ? undefined : base;
}

/** The key is the same for all that belong together, also without a root. */
function rootOf(
  link: ChainLink,
  links: ReadonlyMap<string, ChainLink>,
): { key: string; root: string | undefined } {
  const passed = new Set<string>();
  let at = link;
  for (;;) {
    if (at.kind === "full") return { key: at.name, root: at.name };
    // Bases come from manifests, which could name each other in a circle.
    if (at.base === undefined || passed.has(at.base)) {
      return { key: `without base: ${at.name}`, root: undefined };
    }
    passed.add(at.base);
    const base = links.get(at.base);
    // Older than the timeline reaches.
    if (base === undefined) return { key: at.base, root: at.base };
    at = base;
  }
}

/** Whether a store holds the snapshot complete, but lacks a base or holds a damaged one. */
function lacksBase(link: ChainLink, site: Site, links: ReadonlyMap<string, ChainLink>): boolean {
  if (link.at[site]?.state !== "complete") return false;
  const passed = new Set<string>();
  let at = link;
  while (at.kind !== "full") {
    if (at.base === undefined || passed.has(at.base)) return true;
    passed.add(at.base);
    const base = links.get(at.base);
    // Older than the timeline reaches.
    if (base === undefined) return false;
    if (base.at[site]?.state !== "complete") return true;
    at = base;
  }
  return false;
}

function beginOf({ links: [first] }: Chain): number {
  return first?.time ?? 0;
}
