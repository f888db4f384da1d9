import { type Declaration, type Declarations, type Values, valuesOf } from "../settings/kinds.js";
import type { Setting } from "../settings/setting.js";
import type { Session } from "./session.js";

/** Flags by the heading of the help that lists them. */
export type FlagGroups = Readonly<Record<string, Declarations>>;

/** What a file of `commands/` says of its command. */
interface Definition<G extends FlagGroups> {
  /** The argument besides flags, for the help: `NAME`. At most one word. */
  readonly argument?: string;
  /** In the order of the help: the common ones first. */
  readonly groups: G;
  /** Command lines that work as typed, each with what it does. */
  readonly examples: readonly (readonly [string, string])[];
}

export interface CommandDefinition extends Definition<FlagGroups> {
  /** The flags of all groups. */
  readonly flags: Declarations;
  /** Resolves with the exit code. @throws UsageError for a setting with a wrong value */
  run(settings: readonly Setting[], session: Session, words: readonly string[]): Promise<number>;
}

/** One thing that can be typed after `backuptool`. */
export interface Command extends CommandDefinition {
  /** One word, or two: `snapshot list`. */
  readonly name: string;
  readonly describe: string;
}

type KeyOf<U> = U extends unknown ? keyof U : never;
type FlagOf<U, Name> = U extends { readonly [K in Name & string]: infer F extends Declaration }
  ? F
  : never;
/** The flags of all groups in one object. */
type Merged<G extends FlagGroups> = {
  readonly [Name in KeyOf<G[keyof G]> & string]: FlagOf<G[keyof G], Name>;
};

/** The flags of all groups. */
export function flagsOf<const G extends FlagGroups>(groups: G): Merged<G> {
  const entries = Object.values(groups).flatMap((group) => Object.entries(group));
  // The type of entries does not tell which flag has which name.
  return Object.fromEntries(entries) as Merged<G>;
}

/** Ties the flags of a command to the values that its `run` gets, and the words besides flags. */
export function command<const G extends FlagGroups>({
  run,
  ...definition
}: Definition<G> & {
  run(values: Values<Merged<G>>, session: Session, words: readonly string[]): Promise<number>;
}): CommandDefinition {
  const flags = flagsOf<G>(definition.groups);
  return {
    ...definition,
    flags,
    run: (settings, session, words) => run(valuesOf(flags, settings), session, words),
  };
}
