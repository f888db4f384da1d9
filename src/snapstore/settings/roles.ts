import type { Warn } from "../../files/secret-files.js";

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Role of a store in an operation. Settings and variables of all but the primary begin with it. */
export type StoreRole = "primary" | "secondary" | "source";

/** The name of a store's setting for each role. */
export type OfRole<Name extends string> = Name | `${Exclude<StoreRole, "primary">}-${Name}`;

/** The setting `store` of the primary is `secondary-store` for the secondary. */
export function settingOf<Name extends string>(role: StoreRole, name: Name): OfRole<Name> {
  return role === "primary" ? name : (`${role}-${name}` as const);
}

/** The variable `STORAGE_PROVIDER` of the primary is `SECONDARY_STORAGE_PROVIDER` for the secondary. */
export function variableOf(role: StoreRole, name: string): string {
  return role === "primary" ? name : `${role.toUpperCase()}_${name}`;
}

/** The variables of one store, without those of other stores. */
export class StoreEnvironment {
  readonly role: StoreRole;
  readonly #env: Environment;
  /** Receives warnings about files that variables name. */
  readonly warn: Warn;

  constructor(role: StoreRole, env: Environment, warn: Warn = () => {}) {
    this.role = role;
    this.#env = env;
    this.warn = warn;
  }

  /** The full name of a variable, for messages. */
  nameOf(name: string): string {
    return variableOf(this.role, name);
  }

  /** Undefined for an empty variable. */
  get(name: string): string | undefined {
    const value = this.#env[this.nameOf(name)];
    return value === "" ? undefined : value;
  }

  /** All variables of this store by name, without the role. */
  own(): Environment {
    if (this.role === "primary") return this.#env;
    const start = variableOf(this.role, "");
    return Object.fromEntries(
      Object.entries(this.#env)
        .filter(([name]) => name.startsWith(start))
        .map(([name, value]) => [name.slice(start.length), value]),
    );
  }
}
