import { UsageError } from "../../errors.js";
import type { StoreConfig } from "../../snapstore/config.js";
import type { Session } from "../session.js";
import { secondaryStoreFlags, storeFlags } from "../store-flags.js";
import { requiredStore, storeConfig } from "../../snapstore/settings/store-settings.js";

/** Flags of a command on one of the two stores. */
export const eitherStoreGroups = {
  "Primary store": storeFlags,
  "Secondary store": {
    ...secondaryStoreFlags,
    from: {
      type: "string",
      requiresArg: true,
      choices: ["primary", "secondary"] as const,
      default: "primary" as const,
      describe: "Which store to work on",
    },
  },
} as const;

/** The store that `--from` names. @throws UsageError */
export function chosenStore(
  args: { readonly from: "primary" | "secondary" },
  { terminal, warn }: Session,
): StoreConfig {
  const { env } = terminal;
  const found = storeConfig(args, args.from, env, warn);
  if (found !== undefined) return found;
  if (args.from === "primary" && storeConfig(args, "secondary", env) !== undefined) {
    throw new UsageError("only the secondary store is named, and it is not the one to work on", {
      hint: "use --from secondary",
    });
  }
  return requiredStore(args, args.from, env, warn);
}
