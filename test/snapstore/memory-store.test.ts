import { type MemoryObject, MemoryStore } from "../support/stores/memory-store.js";
import { conformance } from "./conformance.js";

const objects = new Map<string, MemoryObject>();

conformance(
  "the store in memory of the tests",
  async (prefix) => new MemoryStore(prefix, objects),
  {
    findsStaleUploads: false,
  },
);
