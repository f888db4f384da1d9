import { BackupToolError } from "../../errors.js";
import { StoreError } from "../../snapstore/errors.js";
import type { PutOptions, SnapStore } from "../../snapstore/store.js";

/** Folder of this program's own small files in a store, below the store's prefix. */
export const CONTROL_FOLDER = ".backuptool";

/** Kinds of control files, by the name of their folder. */
export type ControlFolder =
  | "holds"
  | "pins"
  | "epochs"
  | "plans"
  | "names"
  | "scrub"
  | "clock"
  | "reserve";

/** Version of the JSON that this program writes and reads. */
const FORMAT = 1;
const MAX_BYTES = 64 << 10;
/** A listing of a folder ends with an error here: a hostile store could fill the memory. */
const MAX_FILES = 100_000;

export interface ControlFile {
  readonly key: string;
  /** The key below its folder. */
  readonly path: string;
  /** Time of the last write, by the clock of the store. */
  readonly modified: Date;
}

/** What a control file holds. It is not authenticated: anyone who can write to the store could have written it. */
export type ControlContent =
  | { readonly fields: Readonly<Record<string, unknown>> }
  /** Why it cannot be read; a phrase whose subject is the file. */
  | { readonly problem: string };

export function controlKey(folder: ControlFolder, path: string): string {
  return `${CONTROL_FOLDER}/${folder}/${path}`;
}

/**
 * All control files of a folder, in the order of their keys. Throws TOO_MANY_CONTROL_FILES.
 *
 * @param under only those below this folder in it; empty, or with a `/` at its end
 */
export async function listControlFiles(
  store: SnapStore,
  folder: ControlFolder,
  signal: AbortSignal,
  under = "",
): Promise<ControlFile[]> {
  const prefix = controlKey(folder, under);
  const start = controlKey(folder, "").length;
  const found: ControlFile[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(prefix, { cursor, signal });
    for (const { key, modified } of page.objects) {
      found.push({ key, path: key.slice(start), modified });
    }
    if (found.length > MAX_FILES) {
      throw new BackupToolError(
        "TOO_MANY_CONTROL_FILES",
        `${store.name} has more than ${MAX_FILES} objects below ${prefix}`,
        { hint: "remove those that this program did not write" },
      );
    }
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}

/** Reads a control file. Undefined if it does not exist. Throws StoreError. */
export async function readControlFile(
  store: SnapStore,
  key: string,
  signal: AbortSignal,
): Promise<ControlContent | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of store.get(key, { length: MAX_BYTES + 1, signal })) {
      bytes += piece.length;
      if (bytes > MAX_BYTES) return { problem: `is larger than ${MAX_BYTES} bytes` };
      pieces.push(piece);
    }
  } catch (error) {
    if (error instanceof StoreError && error.code === "STORE_NOT_FOUND") return undefined;
    throw error;
  }
  return parse(Buffer.concat(pieces).toString());
}

/** Writes a control file in one call. With `ifAbsent` throws STORE_EXISTS. */
export async function putControlFile(
  store: SnapStore,
  key: string,
  fields: Readonly<Record<string, unknown>>,
  options: PutOptions,
): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, ...fields }, null, 2)}\n`;
  await store.put(key, Buffer.from(text), options);
}

/** A field with text; undefined if it is absent, of another type or longer than `longest` characters. */
export function textField(
  fields: Readonly<Record<string, unknown>>,
  name: string,
  longest: number,
): string | undefined {
  const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
  return typeof value === "string" && value.length <= longest ? value : undefined;
}

function parse(text: string): ControlContent {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: "is not JSON" };
  }
  if (!isRecord(value)) return { problem: "is not a JSON object" };
  if (value["format"] === FORMAT) return { fields: value };
  return { problem: "has a format that this version does not read" };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
