import { UsageError } from "../errors.js";
import { quoted } from "../quoted.js";
import {
  CONTRADICTIONS,
  type Contradiction,
  READING,
  type RuleContext,
  SECONDARY,
  TYPED_ONLY,
} from "./contradictions.js";
import type { Setting } from "./setting.js";

/**
 * The effective settings of a command. A setting of one source replaces, in the sources after it, the same setting and
 * those that contradict it.
 *
 * @param levels the settings of each source, in order of precedence
 * @throws UsageError for a contradiction within one source
 */
export function effectiveSettings(
  command: string,
  levels: readonly (readonly Setting[])[],
): Setting[] {
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
        throw new UsageError(`${shown} is not allowed: this setting must be typed`, {
          hint: "type it, or remove it there",
          settings: [name],
        });
      }
    }
    kept.push(...checkConsistent(rules, own));
  }
  return READING.includes(command) ? withoutUnusedSecondary(kept) : kept;
}

/** Variables of etcd-backup-restore may name a secondary store for that tool: no reason to read from it here. */
function withoutUnusedSecondary(settings: readonly Setting[]): Setting[] {
  const isUsed = settings.some(
    ({ name, borrowed }) => name === "from" || (borrowed === undefined && SECONDARY.includes(name)),
  );
  return settings.filter(
    ({ name, borrowed }) => isUsed || borrowed === undefined || !SECONDARY.includes(name),
  );
}

function replacedBy(rule: Contradiction, low: Setting, context: RuleContext): boolean {
  const { high } = context;
  const { one, other } = rule;
  const contradict =
    (isPart(one, high) && isPart(other, low)) ||
    (rule.oneWay !== true && isPart(other, high) && isPart(one, low));
  return contradict && (rule.applies?.(context) ?? true);
}

function isPart(parts: Contradiction["one"], setting: Setting): boolean {
  return parts.some(({ name, when }) => name === setting.name && (when?.(setting) ?? true));
}

/** @throws UsageError */
function checkConsistent(rules: readonly Contradiction[], settings: readonly Setting[]): Setting[] {
  let kept = [...settings];
  for (const { one, other, error } of rules) {
    if (error === undefined) continue;
    const first = firstOf(one, kept);
    const second = firstOf(other, kept);
    if (first === undefined || second === undefined) continue;
    if (first.borrowed === undefined && second.borrowed === undefined) {
      throw new UsageError(`${nameOf(first)} contradicts ${nameOf(second)}${error}`);
    }
    // A variable of another tool may be set for that tool.
    const [parts, winner] = first.borrowed === undefined ? [other, first] : [one, second];
    kept = kept.filter(
      (setting) => setting === winner || setting.borrowed === undefined || !isPart(parts, setting),
    );
  }
  return kept;
}

/** In the order of the parts, so that a message does not depend on the order of the settings. */
function firstOf(parts: Contradiction["one"], settings: readonly Setting[]): Setting | undefined {
  return parts
    .map((part) => settings.find((setting) => isPart([part], setting)))
    .find((setting) => setting !== undefined);
}

function nameOf({ shown, value, source }: Setting): string {
  return source === "typed" && typeof value === "object"
    ? `${shown} ${quoted(value[0] ?? "")}`
    : shown;
}

/** `user:password` without the password, where a source with precedence has one. */
function withoutPassword(setting: Setting, above: readonly Setting[]): Setting {
  if (setting.name !== "user" || !above.some(({ name }) => name === "password")) return setting;
  const [user = ""] = String(setting.value).split(":");
  return { ...setting, value: user };
}

const OPPOSITE: Readonly<Record<string, string>> = {
  "include-pool": "skip-pool",
  "skip-pool": "include-pool",
};

/** A list of pools without those that a source with precedence has in the opposite list. */
function withoutOpposite(command: string, setting: Setting, above: readonly Setting[]): Setting[] {
  const opposite =
    command === "create" ? above.find(({ name }) => name === OPPOSITE[setting.name]) : undefined;
  if (typeof opposite?.value !== "object" || typeof setting.value !== "object") return [setting];
  const { value: removed } = opposite;
  const left = setting.value.filter((pool) => !removed.includes(pool));
  if (left.length > 0) return [{ ...setting, value: left }];
  if (setting.name === "skip-pool") return [];
  // An empty list would mean all pools.
  throw new UsageError(`${nameOf(opposite)} leaves out all that ${setting.shown} names`, {
    hint: "type the pools to include",
    settings: ["include-pool"],
  });
}
