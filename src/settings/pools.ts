import { SettingError, UsageError } from "../errors.js";
import { quoted } from "../quoted.js";
import type { skipSettings } from "./declarations.js";
import type { Values } from "./kinds.js";

/** @throws UsageError when both etcd and Ceph are skipped */
export function checkSomethingToDo(values: Values<typeof skipSettings>): void {
  if (!values["skip-etcd"] || !values["skip-ceph"]) return;
  throw new UsageError("with etcd and Ceph skipped, there is nothing to do", {
    hint: "include one of them",
    settings: ["skip-etcd", "skip-ceph"],
  });
}

/** @throws UsageError for a pool in both lists */
export function checkPoolLists(included: readonly string[], skipped: readonly string[]): void {
  const both = included.find((pool) => skipped.includes(pool));
  if (both === undefined) return;
  throw new UsageError(`the pool ${quoted(both)} is both included and skipped`, {
    hint: "name it once",
    settings: ["include-pool", "skip-pool"],
  });
}

/** The pool to restore into by the pool in the backup, from texts `FROM:TO`. @throws UsageError */
export function poolMapping(given: readonly string[]): Map<string, string> {
  const mapping = new Map<string, string>();
  const sources = new Map<string, string>();
  for (const text of given) {
    const [from, to, ...more] = text.split(":");
    if (!from || !to || more.length > 0) {
      throw new SettingError("restore-pool", `${quoted(text)} is not FROM:TO`, {
        hint: "write the pool's name in the backup, a colon, and the pool to restore into",
      });
    }
    if (mapping.has(from)) throw new SettingError("restore-pool", `names ${quoted(from)} twice`);
    const other = sources.get(to);
    if (other !== undefined) {
      throw new SettingError(
        "restore-pool",
        `restores ${quoted(other)} and ${quoted(from)} into one pool, ${quoted(to)}`,
        { hint: "objects of the same name would overwrite each other" },
      );
    }
    mapping.set(from, to);
    sources.set(to, from);
  }
  return mapping;
}
