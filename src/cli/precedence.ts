import { UsageError } from "../errors.js";
import { quoted } from "../quoted.js";
import {
  CONTRADICTIONS,
  type Contradiction,
  type Surroundings,
  TYPED_ONLY,
} from "./contradictions.js";
import type { Setting } from "./setting.js";

/**
 * The settings of a command that have an effect. What one source says replaces, in the sources after it,
 * the same flag and whatever contradicts it.
 *
 * @param levels what each source says, the one that goes first first
 * @throws UsageError for a contradiction within one source
 */
export function settle(command: string, levels: readonly (readonly Setting[])[]): Setting[] {
  const rules = CONTRADICTIONS.filter(({ commands }) => commands?.includes(command) ?? true);
  const all = levels.flat();
  const kept: Setting[] = [];
  for (const level of levels) {
    const above = [...kept];
    const own = level
      .filter(
        (setting) => !above.some((high) => high.name === setting.name || replaces(high, setting)),
      )
      .flatMap((setting) => withoutOpposite(command, withoutPassword(setting, above), above));
    function replaces(high: Setting, low: Setting): boolean {
      return rules.some((rule) => replacedBy(rule, low, { high, level, above, all }));
    }
    for (const { name, source, shown, value } of own) {
      if (source !== "typed" && TYPED_ONLY.includes(name) && value !== false) {
        throw new UsageError(`${shown} does not count: --${name} must be typed`, {
          hint: `type --${name}, or remove the setting`,
        });
      }
    }
    kept.push(...consistent(rules, own));
  }
  return kept;
}

function replacedBy(rule: Contradiction, low: Setting, surroundings: Surroundings): boolean {
  const { high } = surroundings;
  const { one, other } = rule;
  const meet =
    (isPart(one, high) && isPart(other, low)) ||
    (rule.oneWay !== true && isPart(other, high) && isPart(one, low));
  return meet && (rule.applies?.(surroundings) ?? true);
}

function isPart(parts: Contradiction["one"], setting: Setting): boolean {
  return parts.some(({ name, when }) => name === setting.name && (when?.(setting) ?? true));
}

/** @throws UsageError */
function consistent(rules: readonly Contradiction[], settings: readonly Setting[]): Setting[] {
  let kept = [...settings];
  for (const { one, other, error } of rules) {
    if (error === undefined) continue;
    const first = kept.find((setting) => isPart(one, setting));
    // The order of the rule, so that the message is the same whatever the order of the flags.
    const second = other
      .map((part) => kept.find((setting) => isPart([part], setting)))
      .find((setting) => setting !== undefined);
    if (first === undefined || second === undefined) continue;
    if (first.borrowed === undefined && second.borrowed === undefined) {
      throw new UsageError(`${told(first)} contradicts ${told(second)}${error}`);
    }
    // The variables of another tool may be set for that one.
    const [parts, winner] = first.borrowed === undefined ? [other, first] : [one, second];
    kept = kept.filter(
      (setting) => setting === winner || setting.borrowed === undefined || !isPart(parts, setting),
    );
  }
  return kept;
}

function told({ shown, value, source }: Setting): string {
  return source === "typed" && Array.isArray(value)
    ? `${shown} ${quoted(String(value[0]))}`
    : shown;
}

/** The user of `user:password` where the password comes from a source that goes first. */
function withoutPassword(setting: Setting, above: readonly Setting[]): Setting {
  if (setting.name !== "user" || !above.some(({ name }) => name === "password")) return setting;
  const [user = ""] = String(setting.value).split(":");
  return { ...setting, value: user };
}

const OPPOSITE: Readonly<Record<string, string>> = {
  "include-pool": "skip-pool",
  "skip-pool": "include-pool",
};

/** A list of pools without those that a source that goes first asks the opposite for. */
function withoutOpposite(command: string, setting: Setting, above: readonly Setting[]): Setting[] {
  const opposite =
    command === "create" ? above.find(({ name }) => name === OPPOSITE[setting.name]) : undefined;
  if (opposite === undefined || !Array.isArray(setting.value)) return [setting];
  const gone: unknown[] = Array.isArray(opposite.value) ? opposite.value : [];
  const left = setting.value.filter((pool) => !gone.includes(pool));
  if (left.length > 0) return [{ ...setting, value: left }];
  if (setting.name === "skip-pool") return [];
  // Without any pool it would mean all of them.
  throw new UsageError(`${told(opposite)} leaves out all that ${setting.shown} names`, {
    hint: "type --include-pool with the pools that are wanted",
  });
}
