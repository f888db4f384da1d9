import type { DoctorEvent } from "../../operations/doctor/events.js";
import { counted } from "./counted.js";
import type { EventLines } from "./event-lines.js";

/** What a check of `doctor` says, in one line that begins with how it went. */
export function checkLines(event: DoctorEvent): EventLines {
  if (event.type === "checked") {
    const { ok, warnings, failed, skipped } = event;
    const all = counted(ok + warnings + failed + skipped, "check", "checks");
    const some = counted(warnings, "warning", "warnings");
    return { err: [`${all}: ${ok} ok, ${some}, ${failed} failed, ${skipped} skipped`] };
  }
  const { state, area, name, detail, advice } = event;
  const line = `${state.padEnd(8)} ${area} ${name}: ${detail}`;
  return { out: [advice === undefined ? line : `${line}; ${advice}`] };
}
