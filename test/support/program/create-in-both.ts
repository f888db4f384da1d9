import type { ExecutionContext } from "ava";
import { backuptool } from "./backuptool.js";

/**
 * A create into two stores that is whole in both. On a machine that is very busy the secondary may be
 * given up for being slow, and for nothing else: then a copy brings the rest.
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
