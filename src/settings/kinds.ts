import { UsageError } from "../errors.js";
import { quoted } from "../quoted.js";
import { parseAge, parseDuration } from "./duration.js";
import type { Setting, SettingValue } from "./setting.js";
import { parseSize } from "./size.js";

/** Makes the error for a text that does not parse: `problem` follows the text in a sentence. */
type Reject = (problem: string, hint?: string) => UsageError;
type Parse<T> = (text: string, reject: Reject) => T;

/** A setting: its kind, its default as text, and what the help says of it. Options of yargs, but for `parse`. */
export interface Declaration {
  readonly type: "string" | "boolean";
  readonly describe?: string;
  readonly requiresArg?: boolean;
  readonly array?: boolean;
  readonly nargs?: number;
  readonly choices?: readonly string[];
  readonly default?: string | readonly string[];
  /** Of one item. Absent: a toggle. */
  readonly parse?: Parse<unknown>;
}

/** Settings by name. */
export type Declarations = Readonly<Record<string, Declaration>>;

type ValueOf<D> = D extends { readonly parse: Parse<infer T> }
  ? WithDefault<D, D extends { readonly array: true } ? readonly T[] : T>
  : boolean | undefined;
type WithDefault<D, T> = D extends { readonly default: unknown } ? T : T | undefined;

/** The values of settings, by name. */
export type Values<D extends Declarations> = { readonly [Name in keyof D]: ValueOf<D[Name]> };

const one = { type: "string", requiresArg: true } as const;

export const toggle = { type: "boolean" } as const;
export const text = { ...one, parse: (given: string): string => given } as const;
export const list = { ...text, array: true, nargs: 1 } as const;
/** A list that is empty by default. */
export const repeatable = { ...list, default: [] } as const;

/** Bytes. */
export function size(least: string, most?: string) {
  const parse: Parse<number> = (given, reject) => {
    const bytes = parseSize(given);
    if (bytes === undefined) {
      throw reject("is not a size", "write a number and a unit, such as 512MiB or 2GiB");
    }
    const [from, to] = [parseSize(least) ?? 0, most === undefined ? bytes : (parseSize(most) ?? 0)];
    if (bytes >= from && bytes <= to) return bytes;
    throw reject(most === undefined ? `is under ${least}` : `is not from ${least} to ${most}`);
  };
  return { ...one, parse } as const;
}

/** Milliseconds. */
export const duration = {
  ...one,
  parse: (given: string, reject: Reject): number => {
    const ms = parseDuration(given);
    if (ms !== undefined) return ms;
    throw reject("is not a time", "write a number and a unit, such as 30s or 2m");
  },
} as const;

/** Milliseconds, of days by default. */
export const age = {
  ...one,
  parse: (given: string, reject: Reject): number => {
    const ms = parseAge(given);
    if (ms !== undefined) return ms;
    throw reject(
      "is not an age",
      "write a number of days, or a number and a unit, such as 36h or 90d",
    );
  },
} as const;

/** `-1` is no limit, which is undefined. */
export function unlimited<T>(kind: { readonly parse: Parse<T> }) {
  const parse: Parse<T | undefined> = (given, reject) =>
    given === "-1"
      ? undefined
      : kind.parse(given, (problem, hint) => reject(problem, hint ?? "write -1 for no limit"));
  return { ...one, parse } as const;
}

export function wholeNumber(least: number, most: number) {
  const parse: Parse<number> = (given, reject) => {
    const value = /^-?\d+$/.test(given) ? Number(given) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw reject(`is not a number from ${least} to ${most}`);
  };
  return { ...one, parse } as const;
}

export function choice<const T extends string>(choices: readonly T[]) {
  const parse: Parse<T> = (given, reject) => {
    const found = choices.find((known) => known === given);
    if (found !== undefined) return found;
    throw reject(`is not one of ${choices.map(quoted).join(", ")}`);
  };
  return { ...one, choices, parse } as const;
}

/** The values that a command gets: those of `settings`, and defaults. @throws UsageError */
export function valuesOf<const D extends Declarations>(
  declarations: D,
  settings: readonly Setting[],
): Values<D> {
  const values = Object.entries(declarations).map(([name, declaration]) => {
    const given = settings.find((setting) => setting.name === name);
    const value = given?.value ?? declaration.default;
    return [
      name,
      value === undefined ? undefined : parsed(declaration, value, given?.shown ?? name),
    ];
  });
  // Each value is of its own declaration, which the type of entries cannot say.
  return Object.fromEntries(values) as Values<D>;
}

function parsed({ parse }: Declaration, value: SettingValue, shown: string): unknown {
  if (parse === undefined || typeof value === "boolean") return value;
  const parseOne = (given: string): unknown =>
    parse(
      given,
      (problem, hint) => new UsageError(`${shown} ${quoted(given)} ${problem}`, { hint }),
    );
  return typeof value === "string" ? parseOne(value) : value.map(parseOne);
}
