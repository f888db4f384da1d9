import type { ControlFile } from "./control-file.js";

const HOUR_MS = 3_600_000;

/** A pin or a plan is renewed by its process when it is this old. */
export const RENEW_AFTER_MS = HOUR_MS;
/** The process of a pin or a plan that could not renew it for so long stops what it does. */
export const STOP_AFTER_MS = 12 * HOUR_MS;
/**
 * Others ignore a pin or a plan of this age: its process has died. What is between this and {@link STOP_AFTER_MS} is for
 * calls that are under way.
 */
export const IGNORE_AFTER_MS = 24 * HOUR_MS;

/** Whether the process of a file may still be at work. `now` is by the clock of the store. */
export function isLive({ modified }: ControlFile, now: Date): boolean {
  return modified.getTime() > now.getTime() - IGNORE_AFTER_MS;
}
