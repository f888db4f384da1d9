import type { StoreConfig } from "./config.js";
import type { SnapStore } from "./store.js";

/** Opens a store by its provider, whose library is loaded only now. Throws StoreError. */
export async function openStore(config: StoreConfig): Promise<SnapStore> {
  switch (config.provider) {
    case "Local": {
      const { LocalStore } = await import("./local.js");
      return new LocalStore(config);
    }
    default:
      throw new Error(`not yet: ${config.provider}`);
  }
}
