import type { Options } from "yargs";
import type { Flags } from "./flags.js";
import type { Session } from "./session.js";
import type { Values } from "./values.js";

/** Flags by the heading of the help that lists them. */
export type FlagGroups = Readonly<Record<string, Flags>>;

/** What a file of `commands/` says of its command. */
interface Definition<G extends FlagGroups, Args> {
  /** The argument besides flags, for the help: `NAME`. At most one word. */
  readonly argument?: string;
  /** In the order of the help: the common ones first. */
  readonly groups: G;
  /** Command lines that work as typed, each with what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Resolves with the exit code. */
  run(args: Args, session: Session): Promise<number>;
}

export interface CommandDefinition extends Definition<FlagGroups, unknown> {
  /** The flags of all groups. */
  readonly flags: Flags;
}

/** One thing that can be typed after `backuptool`. */
export interface Command extends CommandDefinition {
  /** One word, or two: `snapshot list`. */
  readonly name: string;
  readonly describe: string;
}

/** Words of the command line besides flags. */
export interface Words {
  readonly _: readonly unknown[];
}

type KeyOf<U> = U extends unknown ? keyof U : never;
type FlagOf<U, Name> = U extends { readonly [K in Name & string]: infer F extends Options }
  ? F
  : never;
/** The flags of all groups in one object. */
export type Merged<G extends FlagGroups> = {
  readonly [Name in KeyOf<G[keyof G]> & string]: FlagOf<G[keyof G], Name>;
};

/** Ties the flags of a command to the arguments of its `run`. */
export function command<const G extends FlagGroups>(
  definition: Definition<G, Values<Merged<G>> & Words>,
): CommandDefinition {
  return {
    ...definition,
    flags: Object.fromEntries(Object.values<Flags>(definition.groups).flatMap(Object.entries)),
    // yargs has parsed these very flags; it types them by command only when it also runs the command.
    run: (args, session) => definition.run(args as Values<Merged<G>> & Words, session),
  };
}
