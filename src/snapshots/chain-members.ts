import type { StoredSnapshot } from "./catalog.js";

/** The names, and those of all snapshots that these are based on, under every name that the store has for one. */
export function withBases(
  names: Iterable<string>,
  all: readonly Pick<StoredSnapshot, "name" | "facts">[],
): Set<string> {
  const byId = new Map<string, string[]>();
  const baseOf = new Map<string, string>();
  for (const { name, facts } of all) {
    if (facts === undefined) continue;
    byId.set(facts.id, [...(byId.get(facts.id) ?? []), name.text]);
    if (facts.base !== null) baseOf.set(name.text, facts.base);
  }
  const found = new Set(names);
  // The loop also goes over what is added meanwhile, and ends where a hostile store has a cycle.
  for (const name of found) {
    const base = baseOf.get(name);
    for (const one of base === undefined ? [] : (byId.get(base) ?? [])) found.add(one);
  }
  return found;
}
