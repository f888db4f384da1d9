import { UsageError } from "../../errors.js";
import type { StoreConfig } from "../../snapstore/config.js";
import { openStore } from "../../snapstore/open-store.js";
import {
  INTERACTIVE_ATTEMPTS,
  type StoreRetryPolicy,
} from "../../snapstore/layers/retry-policy.js";
import { GuardedStore, type WriteGuard } from "../../snapstore/layers/guarded.js";
import { RetryingStore } from "../../snapstore/layers/retrying.js";
import type { SnapStore } from "../../snapstore/store.js";

/** Opens a store that retries its calls, and asks the guard before each that changes it. The caller closes it. */
export async function openRetrying(
  config: StoreConfig,
  policy: Partial<StoreRetryPolicy> = {},
  guard?: WriteGuard,
): Promise<SnapStore> {
  const opened = await openStore(config);
  const store = guard === undefined ? opened : new GuardedStore(opened, guard);
  return new RetryingStore(store, { attempts: INTERACTIVE_ATTEMPTS, ...policy });
}

/** Opens a store as {@link openRetrying} does, for the duration of `work`. */
export async function withStore<T>(
  config: StoreConfig,
  work: (store: SnapStore) => Promise<T>,
  policy?: Partial<StoreRetryPolicy>,
  guard?: WriteGuard,
): Promise<T> {
  const store = await openRetrying(config, policy, guard);
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
  guard?: WriteGuard,
): Promise<T> {
  const withOther = (first: SnapStore) =>
    withStore(
      other,
      (second) => {
        checkDistinct(first, second);
        return work(first, second);
      },
      policy,
      guard,
    );
  return withStore(one, withOther, policy, guard);
}

/** Throws UsageError when two stores are in the same place. */
export function checkDistinct(one: SnapStore, other: SnapStore | undefined): void {
  if (one.place !== other?.place) return;
  throw new UsageError(`both stores are the same place: ${one.name}`, {
    hint: "a second copy has to be somewhere else",
  });
}
