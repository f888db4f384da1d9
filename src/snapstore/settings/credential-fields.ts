import { readdirSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "../../errors.js";
import { readInputFileSync } from "../../files/input-file.js";
import { type Warn, warnIfOpenToOthers } from "../../files/secret-files.js";
import { nearest } from "../../nearest.js";
import { quoted } from "../../quoted.js";
import { endpointUrl } from "./endpoint-url.js";
import type { StoreEnvironment } from "./roles.js";

/** Names of fields with secrets. */
const SECRET_FIELD = /(key|secret|password|token|connectionString)$/i;

/**
 * Credentials of one store by field, from a JSON file, a folder with a file for each field, or variables. Messages name
 * the source and the field, never a value.
 */
export class CredentialFields {
  /** The source for messages: a file, a folder or the environment. */
  readonly where: string;
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #variables: Readonly<Record<string, string>> | undefined;

  /** @param variables full names of the variables by field, if variables are the source */
  constructor(
    where: string,
    values: ReadonlyMap<string, unknown>,
    variables?: Readonly<Record<string, string>>,
  ) {
    this.where = where;
    this.#values = values;
    this.#variables = variables;
  }

  /** Whether the source is a file or a folder. */
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

  /** All of them or none. */
  together<K extends string>(...names: readonly K[]): Record<K, string> | undefined {
    if (names.every((name) => this.text(name) === undefined)) return undefined;
    const entries = names.map((name) => [name, this.required(name)] as const);
    return Object.fromEntries(entries) as Record<K, string>;
  }

  /** A JSON boolean, or `true`, `false`, `1` or `0`. */
  toggle(name: string): boolean | undefined {
    const value = this.#values.get(name);
    if (value === undefined || value === null || value === "") return undefined;
    if (value === true || value === "true" || value === "1") return true;
    if (value === false || value === "false" || value === "0") return false;
    throw this.wrong(name, "is neither true nor false");
  }

  /** The endpoint as a URL. `scheme` applies to `host:port` without one. */
  endpointUrl(given: string, scheme?: "http" | "https"): string;
  endpointUrl(given: string | undefined, scheme?: "http" | "https"): string | undefined;
  endpointUrl(given: string | undefined, scheme?: "http" | "https"): string | undefined {
    if (given === undefined) return undefined;
    const reject = (problem: string): UsageError =>
      new UsageError(`the endpoint of ${this.where} ${problem}`);
    return endpointUrl(given, reject, scheme);
  }

  /** The variable, or the field of the file, for messages. */
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
 * The credentials in the file of `<variable>_JSON`, or else in the folder or JSON file of `<variable>`; undefined when
 * neither is set.
 *
 * @param known names of fields; others are ignored, unless they look like a misspelling
 * @throws UsageError
 */
export function credentialFields(
  env: StoreEnvironment,
  variable: string,
  known: readonly string[],
): CredentialFields | undefined {
  const file = env.get(`${variable}_JSON`);
  const { warn } = env;
  if (file !== undefined) {
    return fromJson({ path: file, variable: env.nameOf(`${variable}_JSON`), known, warn });
  }
  const folder = env.get(variable);
  if (folder === undefined) return undefined;
  return fromFolder({ path: folder, variable: env.nameOf(variable), known, warn });
}

/** The values of variables, by field. */
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

/** The PEM certificate in `trustedCaCert`, or in the file that it names. */
export function certificate(fields: CredentialFields): string | undefined {
  const given = fields.text("trustedCaCert");
  if (given === undefined) return undefined;
  let pem = given;
  if (!given.includes("-----BEGIN")) {
    try {
      pem = readInputFileSync(given).toString();
    } catch {
      throw fields.wrong("trustedCaCert", "is neither PEM nor a readable file");
    }
  }
  if (!/-----BEGIN (TRUSTED )?CERTIFICATE-----/.test(pem)) {
    throw fields.wrong("trustedCaCert", "does not contain a certificate");
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
    // The message of the parser quotes the file, which may contain a key.
    const why = cause instanceof SyntaxError ? "is not JSON" : `cannot be read: ${reasonOf(cause)}`;
    throw new UsageError(`${quoted(path)}, named by ${variable}, ${why}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${quoted(path)}, named by ${variable}, is not a JSON object`);
  }
  return Object.fromEntries(Object.entries(value));
}

/** A file or folder with credentials, and the variable that names it. */
interface Source {
  readonly path: string;
  readonly variable: string;
  readonly known: readonly string[];
  readonly warn: Warn;
}

function fromJson({ path, variable, known, warn }: Source): CredentialFields {
  const object = readJsonObject(path, variable, warn);
  for (const name of Object.keys(object)) {
    if (known.includes(name)) continue;
    // A misspelt sseCustomerKey must not turn encryption off.
    const near = nearest(name, known);
    if (near !== undefined) {
      throw new UsageError(`${quoted(path)}, named by ${variable}, has a field ${quoted(name)}`, {
        hint: `did you mean ${near}?`,
      });
    }
  }
  return new CredentialFields(`${quoted(path)} (${variable})`, new Map(Object.entries(object)));
}

/** A file for each field, as in a mounted Kubernetes secret; or a JSON file with all fields. */
function fromFolder(source: Source): CredentialFields {
  const { path, variable, known, warn } = source;
  let names: string[];
  try {
    names = readdirSync(path);
  } catch (cause) {
    if (codeOf(cause) === "ENOTDIR") return fromJson(source);
    throw new UsageError(
      `${quoted(path)}, named by ${variable}, cannot be read: ${reasonOf(cause)}`,
    );
  }
  const json = names.find((name) => name.endsWith(".json"));
  if (json !== undefined) return fromJson({ ...source, path: join(path, json) });
  const values = new Map<string, unknown>();
  for (const name of known) {
    if (!names.includes(name)) continue;
    try {
      const bytes = readInputFileSync(join(path, name));
      if (SECRET_FIELD.test(name)) {
        warnIfOpenToOthers(`${name} of ${variable}`, join(path, name), warn);
      }
      // Editors append a newline.
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
