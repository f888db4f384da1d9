import { fileURLToPath } from "node:url";
import { runProcess } from "../program/processes.js";

const PROGRAM = fileURLToPath(new URL("./read-program.js", import.meta.url));

/** Makes native modules fail to load, as on a machine without a build. */
const without = (names: readonly string[]): string =>
  `data:text/javascript,${encodeURIComponent(`
  import Module from "node:module";
  const resolve = Module._resolveFilename;
  Module._resolveFilename = function (name, ...rest) {
    for (const lacking of ${JSON.stringify(names)}) {
      if (name.endsWith(lacking)) throw new Error("no build for this machine");
    }
    return resolve.call(this, name, ...rest);
  };
`)}`;

/** The output of `archive-read-program`. */
export interface MeasuredReading {
  readonly code: string;
  readonly message: string;
  readonly digest: string;
  readonly cipher: string;
  readonly table: boolean;
  /** Peak of the resident memory. */
  readonly residentKiB: number;
  /** Peak of the virtual memory. */
  readonly addressSpaceKiB: number;
}

/** Reads a sample in a new process. Throws when that process is killed or fails. */
export async function readMeasured(
  folder: string,
  lacking: readonly ("chunk_cipher.node" | "sodium-native")[] = [],
): Promise<MeasuredReading> {
  const flags = lacking.length > 0 ? ["--import", without(lacking)] : [];
  const result = await runProcess(process.execPath, [...flags, PROGRAM, folder]);
  if (result.code !== 0) {
    throw new Error(`ended with ${result.code ?? result.signal}: ${result.stderr}`);
  }
  return JSON.parse(result.stdout.toString()) as MeasuredReading;
}
