import type { Warn } from "../../files/secret-files.js";

/** Which of a command's stores is meant: its flags and variables begin with the role. */
export type StoreRole = "primary" | "secondary" | "source";

/** `--store` of the primary is `--secondary-store` of the secondary. */
export function flagOf(role: StoreRole, name: string): string {
  return role === "primary" ? name : `${role}-${name}`;
}

/** `STORAGE_PROVIDER` of the primary is `SECONDARY_STORAGE_PROVIDER` of the secondary. */
export function variableOf(role: StoreRole, name: string): string {
  return role === "primary" ? name : `${role.toUpperCase()}_${name}`;
}

/** The environment as one store sees it: nothing of another store's. */
export class StoreEnvironment {
  readonly role: StoreRole;
  readonly #env: Readonly<Record<string, string | undefined>>;

  /** Of what is found in its files. */
  readonly warn: Warn;

  constructor(
    role: StoreRole,
    env: Readonly<Record<string, string | undefined>>,
    warn: Warn = () => {},
  ) {
    this.role = role;
    this.#env = env;
    this.warn = warn;
  }

  /** The variable's whole name, for messages. */
  nameOf(name: string): string {
    return variableOf(this.role, name);
  }

  /** Undefined also when it is set and empty. */
  get(name: string): string | undefined {
    const value = this.#env[this.nameOf(name)];
    return value === "" ? undefined : value;
  }
  /** Every variable of this store, by its name without the role. */
  own(): Readonly<Record<string, string | undefined>> {
    if (this.role === "primary") return this.#env;
    const start = variableOf(this.role, "");
    return Object.fromEntries(
      Object.entries(this.#env)
        .filter(([name]) => name.startsWith(start))
        .map(([name, value]) => [name.slice(start.length), value]),
    );
  }
}
