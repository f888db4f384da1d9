import type { ExecutionContext } from "ava";
import { backuptool } from "./backuptool.js";

/**
 * A create that is complete in both stores. On a very busy machine the run may leave a slow secondary behind, and for
 * no other reason: then a copy completes it.
 */
export async function createInBoth(
  t: ExecutionContext,
  create: readonly string[],
  stores: { readonly flags: readonly string[]; readonly env: Readonly<Record<string, string>> },
): Promise<void> {
  const { flags, env } = stores;
  const made = await backuptool([...create, ...flags], { env });
  if (made.code !== 3) {
    t.is(made.code, 0, made.stderr);
    return;
  }
  t.regex(made.stderr, /left behind: .*(it is too slow|it was still behind)/);
  const copied = await backuptool(["copy", ...flags], { env });
  t.is(copied.code, 0, copied.stderr);
}
