import type { ExecutionContext } from "ava";
import { backuptool, lines } from "./backuptool.js";

/** One check in `doctor --json`. */
export interface Check {
  readonly state: string;
  readonly detail: string;
  readonly advice?: string;
}

/** Runs doctor, which must exit with `code`. Returns its checks by area and name. */
export async function doctor(
  t: ExecutionContext,
  code: number,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Map<string, Check>> {
  const result = await backuptool(["doctor", "--json", ...args], {
    env: { BACKUPTOOL_PASSPHRASE: undefined, ...environment },
  });
  const said = result.stdout.toString();
  t.is(result.code, code, `${args.join(" ")}: ${said}${result.stderr}`);
  const events = lines(result.stdout).map((line) => JSON.parse(line));
  t.is(events.at(-1)?.type, "checked", said);
  // Every command warns of a secret that others can read.
  const checks = events.slice(0, -1).filter(({ type }) => type !== "warning");
  t.true(
    checks.every(({ type }) => type === "check"),
    said,
  );
  return new Map(checks.map(({ type: _, area, name, ...check }) => [`${area} ${name}`, check]));
}

/** Asserts that a check failed, with this text and advice. */
export function failed(
  t: ExecutionContext,
  check: Check | undefined,
  detail: RegExp,
  advice: RegExp,
) {
  t.is(check?.state, "failed");
  t.regex(check?.detail ?? "", detail);
  t.regex(check?.advice ?? "", advice);
}
