import type { StoreConfig } from "../../snapstore/config.js";
import type { Session } from "../session.js";
import { secondaryStoreFlags, storeFlags } from "./flags.js";
import { requiredStore } from "./store-settings.js";

/** Flags of a command on one of the two stores. */
export const eitherStoreFlags = {
  ...storeFlags,
  ...secondaryStoreFlags,
  from: {
    type: "string",
    requiresArg: true,
    choices: ["primary", "secondary"] as const,
    default: "primary" as const,
    describe: "Which of the two stores",
  },
} as const;

/** The store that `--from` names. @throws UsageError */
export function chosenStore(
  args: { readonly from: "primary" | "secondary" },
  { terminal, warn }: Session,
): StoreConfig {
  return requiredStore(args, args.from, terminal.env, warn);
}
