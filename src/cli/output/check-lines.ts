import type { DoctorEvent } from "../../operations/doctor/check.js";
import { counted } from "./quantities.js";
import type { EventLines } from "./event-lines.js";

/** One line for a check of `doctor`, which begins with its result. */
export function checkLines(event: DoctorEvent): EventLines {
  if (event.type === "checked") {
    const { ok, warnings, failed, skipped } = event;
    const total = counted(ok + warnings + failed + skipped, "check", "checks");
    const warned = counted(warnings, "warning", "warnings");
    return { err: [`${total}: ${ok} ok, ${warned}, ${failed} failed, ${skipped} skipped`] };
  }
  const { state, area, name, detail, advice } = event;
  const line = `${state.padEnd(8)} ${area} ${name}: ${detail}`;
  return { out: [advice === undefined ? line : `${line}; ${advice}`] };
}
