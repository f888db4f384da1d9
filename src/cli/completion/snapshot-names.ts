import { raceAbort } from "../../flow/race-abort.js";
import type { OperationContext } from "../../operations/context.js";
import { text, valuesOf } from "../../settings/kinds.js";
import { secondaryStoreSettings, storeSettings } from "../../settings/store-declarations.js";
import { storeConfig } from "../../snapstore/settings/store-settings.js";
import { parseArguments } from "../arguments.js";
import type { Command } from "../command.js";
import type { Terminal } from "../process/terminal.js";

const STORES = { ...storeSettings, ...secondaryStoreSettings };

/** The names of the backups in the store that a command line names; none where it is slow or cannot be read. */
export async function snapshotNames(
  command: Command,
  words: readonly string[],
  env: Terminal["env"],
  withinMs: number,
): Promise<string[]> {
  const names: string[] = [];
  try {
    const { settings } = await parseArguments(words, command, env);
    const { from, ...stores } = valuesOf({ ...STORES, from: text }, settings);
    const primary = storeConfig(stores, from === "secondary" ? from : "primary", env);
    if (primary === undefined) return [];
    const { listStoredSnapshots } = await import("../../operations/snapshots/list.js");
    const signal = AbortSignal.timeout(withinMs);
    const report: OperationContext["report"] = (event) => {
      if (event.type === "snapshot") names.push(event.name);
    };
    // A file system that hangs does not observe the signal.
    await raceAbort(listStoredSnapshots({ primary, now: new Date() }, { signal, report }), signal);
  } catch {
    // A completion has nowhere to report an error.
  }
  return names.reverse();
}
