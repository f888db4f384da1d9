import { UsageError } from "../../errors.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { openStore } from "../../snapstore/open-store.js";
import {
  INTERACTIVE_ATTEMPTS,
  type StoreRetryPolicy,
} from "../../snapstore/layers/retry-policy.js";
import { RetryingStore } from "../../snapstore/layers/retrying.js";
import type { SnapStore } from "../../snapstore/store.js";

/** Opens a store that retries its calls. The caller closes it. */
export async function openRetrying(
  config: StoreConfig,
  policy: Partial<StoreRetryPolicy> = {},
): Promise<SnapStore> {
  return new RetryingStore(await openStore(config), { attempts: INTERACTIVE_ATTEMPTS, ...policy });
}

/** Opens a store that retries its calls, for the duration of `work`. */
export async function withStore<T>(
  config: StoreConfig,
  work: (store: SnapStore) => Promise<T>,
  policy?: Partial<StoreRetryPolicy>,
): Promise<T> {
  const store = await openRetrying(config, policy);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** Likewise with two stores. Throws UsageError when they are in the same place. */
export function withTwoStores<T>(
  one: StoreConfig,
  other: StoreConfig,
  work: (one: SnapStore, other: SnapStore) => Promise<T>,
  policy?: Partial<StoreRetryPolicy>,
): Promise<T> {
  const withOther = (first: SnapStore) =>
    withStore(
      other,
      (second) => {
        checkDistinct(first, second);
        return work(first, second);
      },
      policy,
    );
  return withStore(one, withOther, policy);
}

/** Throws UsageError when two stores are in the same place. */
export function checkDistinct(one: SnapStore, other: SnapStore | undefined): void {
  if (one.place !== other?.place) return;
  throw new UsageError(`both stores are the same place: ${one.name}`, {
    hint: "a second copy has to be somewhere else",
  });
}
