import type { HttpAnswer } from "../http/client.js";
import type { GcsApi, GcsCall } from "./api.js";

/** A call whose answer, too, throws StoreError and InterruptedError alone. */
export async function callGcs(api: GcsApi, wanted: GcsCall): Promise<HttpAnswer> {
  const { key, signal } = wanted;
  return (await api.call(wanted)).about({ store: api.store, key, signal });
}
