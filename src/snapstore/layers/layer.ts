import type { SnapStore, StoreCapabilities } from "../store.js";

/** Wraps a store. Base of the layers: it passes on what no layer changes. */
export abstract class StoreLayer {
  protected readonly store: SnapStore;

  constructor(store: SnapStore) {
    this.store = store;
  }

  get name(): string {
    return this.store.name;
  }

  get place(): string {
    return this.store.place;
  }

  get capabilities(): StoreCapabilities {
    return this.store.capabilities;
  }

  close(): Promise<void> {
    return this.store.close();
  }
}
