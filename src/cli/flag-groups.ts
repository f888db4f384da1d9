import { folderSettings } from "../settings/declarations.js";
import { choice, text } from "../settings/kinds.js";
import { secondaryStoreSettings, storeSettings } from "../settings/store-declarations.js";

const { store, ...storeParts } = storeSettings;

/** Flags of a command that reads a backup, in a folder or in a store. */
export const locationGroups = {
  "Which backup": {
    ...folderSettings,
    store,
    snapshot: { ...text, describe: "Name of the backup in the store (default: latest)" },
    ...storeParts,
  },
  "Secondary store": {
    ...secondaryStoreSettings,
    from: {
      ...choice(["primary", "secondary", "newest-complete"]),
      describe: "Store to read; newest-complete is the one with the newest complete backup",
    },
  },
} as const;

/** Flags of a command on one of two stores. */
export const eitherStoreGroups = {
  "Primary store": storeSettings,
  "Secondary store": {
    ...secondaryStoreSettings,
    from: {
      ...choice(["primary", "secondary"]),
      default: "primary",
      describe: "Which store to work on",
    },
  },
} as const;
