import type { Warn } from "../files/secret-files.js";
import type { Environment } from "../snapstore/settings/roles.js";

/** What turning settings into options needs besides the settings. */
export interface SettingsContext {
  /** For the credentials of stores, which are no settings. */
  readonly env: Environment;
  readonly warn: Warn;
}
