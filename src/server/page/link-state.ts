import type { Site } from "../status.js";
import type { ChainLink } from "./chains.js";

/** What a store has of a snapshot. */
export type LinkState = "complete" | "unrestorable" | "unfinished" | "damaged" | "absent";

const STATE_WORDS: Readonly<Record<LinkState, string>> = {
  complete: "complete",
  unrestorable: "complete without its base",
  unfinished: "unfinished",
  damaged: "damaged",
  absent: "absent",
};

export function stateOf({ at, unrestorableAt }: ChainLink, site: Site): LinkState {
  return unrestorableAt.includes(site) ? "unrestorable" : (at[site]?.state ?? "absent");
}

export function stateWords(link: ChainLink, site: Site): string {
  return STATE_WORDS[stateOf(link, site)];
}

/** The same with whether it is held. */
export function stateText(link: ChainLink, site: Site): string {
  const words = stateWords(link, site);
  return link.at[site]?.held === true ? `${words}, held` : words;
}
