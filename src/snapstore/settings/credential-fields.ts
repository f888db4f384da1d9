import { readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../errors.js";
import { readInputFileSync } from "../../files/input-file.js";
import { quoted } from "../../quoted.js";
import { nearest } from "../../nearest.js";
import { type Warn, warnIfOpenToOthers } from "../../files/secret-files.js";
import type { StoreEnvironment } from "./roles.js";

/** Names of fields that hold what others should not read; the rest says where the store is. */
const SECRET_FIELD = /(key|secret|password|token|connectionString)$/i;

/**
 * Named values of one store's credentials, wherever they came from: a JSON file, a folder with a file
 * for each, or variables. A message names the place and the field and never a value.
 */
export class CredentialFields {
  /** For messages: the file, the folder or the variables. */
  readonly where: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #variables: Readonly<Record<string, string>> | undefined;

  /** @param variables whole names of the variables by field, where the values came from such */
  constructor(
    where: string,
    values: ReadonlyMap<string, unknown>,
    variables?: Readonly<Record<string, string>>,
  ) {
    this.where = where;
    this.#values = values;
    this.#variables = variables;
  }

  /** Whether they come from a file or a folder. */
  get isFile(): boolean {
    return this.#variables === undefined;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    if (value === undefined || value === null || value === "") return undefined;
    if (typeof value !== "string") throw this.wrong(name, "is not text");
    return value;
  }

  required(name: string): string {
    const value = this.text(name);
    if (value === undefined) throw this.lacking(name);
    return value;
  }

  /** Either all of them or none. */
  together<K extends string>(...names: readonly K[]): Record<K, string> | undefined {
    if (names.every((name) => this.text(name) === undefined)) return undefined;
    const entries = names.map((name) => [name, this.required(name)] as const);
    return Object.fromEntries(entries) as Record<K, string>;
  }

  /** True or false, as JSON has it or as a word. */
  toggle(name: string): boolean | undefined {
    const value = this.#values.get(name);
    if (value === undefined || value === null || value === "") return undefined;
    if (value === true || value === "true" || value === "1") return true;
    if (value === false || value === "false" || value === "0") return false;
    throw this.wrong(name, "is neither true nor false");
  }

  /** For messages: the variable, or the field of the file. */
  nameOf(name: string): string {
    return this.#variables?.[name] ?? `${name} of ${this.where}`;
  }

  wrong(name: string, why: string, hint?: string): UsageError {
    return new UsageError(`${this.nameOf(name)} ${why}`, { hint });
  }

  lacking(name: string, hint?: string): UsageError {
    const variable = this.#variables?.[name];
    const words = variable === undefined ? `${this.where} lacks ${name}` : `${variable} is not set`;
    return new UsageError(words, { hint });
  }
}

/**
 * What `<variable>_JSON` (a file) or `<variable>` (a folder, or a JSON file) leads to; undefined when
 * neither is set. The file goes before the folder.
 *
 * @param known names of fields; others are left alone, but for one that looks like a slip
 * @throws UsageError
 */
export function credentialFields(
  env: StoreEnvironment,
  variable: string,
  known: readonly string[],
): CredentialFields | undefined {
  const file = env.get(`${variable}_JSON`);
  if (file !== undefined) return fromJson(file, env.nameOf(`${variable}_JSON`), known, env.warn);
  const folder = env.get(variable);
  return folder === undefined
    ? undefined
    : fromFolder(folder, env.nameOf(variable), known, env.warn);
}

/** Values of variables under the names that the fields have elsewhere. */
export function variableFields(
  env: StoreEnvironment,
  variables: Readonly<Record<string, string>>,
): CredentialFields {
  const values = new Map<string, unknown>();
  for (const [name, variable] of Object.entries(variables)) {
    const value = env.get(variable);
    if (value !== undefined) values.set(name, value);
  }
  const names = Object.entries(variables).map(([name, one]) => [name, env.nameOf(one)] as const);
  return new CredentialFields("the environment", values, Object.fromEntries(names));
}

/** PEM, or the path of a file with it. */
export function certificate(fields: CredentialFields): string | undefined {
  const given = fields.text("trustedCaCert");
  if (given === undefined) return undefined;
  let pem = given;
  if (!given.includes("-----BEGIN")) {
    try {
      pem = readInputFileSync(given).toString();
    } catch {
      throw fields.wrong("trustedCaCert", "is neither PEM nor a file that can be read");
    }
  }
  if (!/-----BEGIN (TRUSTED )?CERTIFICATE-----/.test(pem)) {
    throw fields.wrong("trustedCaCert", "holds no certificate");
  }
  return pem;
}

/** The parsed JSON object of a file with credentials. @throws UsageError */
export function readJsonObject(
  path: string,
  variable: string,
  warn: Warn,
): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(readInputFileSync(path).toString());
    warnIfOpenToOthers(`the file of ${variable}`, path, warn);
  } catch (cause) {
    // The parser's own message quotes what it found, which may be a key.
    const why = cause instanceof SyntaxError ? "is not JSON" : `cannot be read: ${reasonOf(cause)}`;
    throw new UsageError(`${quoted(path)}, named by ${variable}, ${why}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${quoted(path)}, named by ${variable}, is not a JSON object`);
  }
  return Object.fromEntries(Object.entries(value));
}

function fromJson(
  path: string,
  variable: string,
  known: readonly string[],
  warn: Warn,
): CredentialFields {
  const object = readJsonObject(path, variable, warn);
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue;
    // A misspelt sseCustomerKey must not mean: no encryption.
    const near = nearest(name, known);
    if (near !== undefined) {
      throw new UsageError(`${quoted(path)}, named by ${variable}, has a field ${quoted(name)}`, {
        hint: `did you mean ${near}?`,
      });
    }
  }
  return new CredentialFields(`${quoted(path)} (${variable})`, new Map(Object.entries(object)));
}

/** As a mounted Kubernetes secret is: a file for each field. A JSON file among them holds them all. */
function fromFolder(
  path: string,
  variable: string,
  known: readonly string[],
  warn: Warn,
): CredentialFields {
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (cause) {
    if (codeOf(cause) === "ENOTDIR") return fromJson(path, variable, known, warn);
    throw new UsageError(
      `${quoted(path)}, named by ${variable}, cannot be read: ${reasonOf(cause)}`,
    );
  }
  const json = names.find((name) => name.endsWith(".json"));
  if (json !== undefined) return fromJson(join(path, json), variable, known, warn);
  const values = new Map<string, unknown>();
  for (const name of known) {
    if (!names.includes(name)) continue;
    try {
      const bytes = readInputFileSync(join(path, name));
      if (SECRET_FIELD.test(name))
        warnIfOpenToOthers(`${name} of ${variable}`, join(path, name), warn);
      // An editor leaves a line end behind.
      values.set(name, bytes.toString("utf8").replace(/\r?\n$/, ""));
    } catch (cause) {
      throw new UsageError(
        `${quoted(join(path, name))} (${variable}) cannot be read: ${reasonOf(cause)}`,
      );
    }
  }
  return new CredentialFields(`${quoted(path)} (${variable})`, values);
}

function codeOf(cause: unknown): string | undefined {
  return cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
}

function reasonOf(cause: unknown): string {
  return codeOf(cause) ?? (cause instanceof Error ? cause.message : "unknown");
}
