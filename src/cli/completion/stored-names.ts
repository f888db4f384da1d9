import { raceAbort } from "../../flow/race-abort.js";
import type { OperationContext } from "../../operations/context.js";
import { text, valuesOf } from "../../settings/kinds.js";
import { secondaryStoreSettings, storeSettings } from "../../settings/store-declarations.js";
import { storeConfig } from "../../snapstore/settings/store-settings.js";
import { parseArguments } from "../arguments.js";
import type { Command } from "../command.js";
import type { Terminal } from "../process/terminal.js";

const STORES = { ...storeSettings, ...secondaryStoreSettings };

/** Names, the newest first. */
export interface StoredNames {
  readonly snapshots: readonly string[];
  /** Streams of deltas. */
  readonly streams: readonly string[];
  /** The streams that begin with a raw snapshot of their own. */
  readonly bases: readonly string[];
}

/** What is in the store that a command line names; nothing where it is slow or cannot be read. */
export async function storedNames(
  command: Command,
  words: readonly string[],
  env: Terminal["env"],
  withinMs: number,
): Promise<StoredNames> {
  const snapshots: string[] = [];
  const streams: string[] = [];
  const bases: string[] = [];
  try {
    const { settings } = await parseArguments(words, command, env);
    const { from, ...stores } = valuesOf({ ...STORES, from: text }, settings);
    const primary = storeConfig(stores, from === "secondary" ? from : "primary", env);
    if (primary === undefined) return { snapshots, streams, bases };
    const { listStoredSnapshots } = await import("../../operations/snapshots/list.js");
    const signal = AbortSignal.timeout(withinMs);
    const report: OperationContext["report"] = (event) => {
      if (event.type === "snapshot") snapshots.unshift(event.name);
      if (event.type !== "stream") return;
      streams.unshift(event.name);
      if (event.base === "complete") bases.unshift(event.name);
    };
    // A file system that hangs does not observe the signal.
    await raceAbort(listStoredSnapshots({ primary, now: new Date() }, { signal, report }), signal);
  } catch {
    // A completion has nowhere to report an error.
  }
  return { snapshots, streams, bases };
}
