import { fileURLToPath } from "node:url";
import { runProcess } from "../program/processes.js";

const PROGRAM = fileURLToPath(new URL("./read-program.js", import.meta.url));

/** Makes native modules ones that have no build for this machine. */
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

/** What `archive-read-program` prints. */
export interface MeasuredReading {
  readonly code: string;
  readonly message: string;
  readonly digest: string;
  readonly cipher: string;
  readonly table: boolean;
  /** Most memory in use at once. */
  readonly residentKiB: number;
  /** The same with what was asked for and never touched. */
  readonly addressSpaceKiB: number;
}

/** Reads a sample in a process of its own. Throws when that process ends by anything but its own word. */
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
