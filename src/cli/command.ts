import type { Flags } from "./flags.js";
import type { Session } from "./session.js";
import type { Values } from "./values.js";

/** One thing that can be typed after `backuptool`. */
export interface Command {
  /** One word, or two: `snapshot list`. */
  readonly name: string;
  readonly describe: string;
  /** What may stand after it besides flags, for the help: `NAME`. At most one word. */
  readonly argument?: string;
  readonly flags: Flags;
  /** Command lines that work as typed, each with what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Resolves with the exit code. */
  run(args: unknown, session: Session): Promise<number>;
}

/** What stands on the command line besides flags. */
export interface Words {
  readonly _: readonly unknown[];
}

/** Ties the flags of a command to the arguments of its `run`. */
export function command<F extends Flags>(definition: {
  readonly name: string;
  readonly describe: string;
  readonly argument?: string;
  readonly flags: F;
  readonly examples: readonly (readonly [string, string])[];
  run(args: Values<F> & Words, session: Session): Promise<number>;
}): Command {
  return {
    ...definition,
    // yargs has parsed these very flags; it types them by command only when it also runs the command.
    run: (args, session) => definition.run(args as Values<F> & Words, session),
  };
}
