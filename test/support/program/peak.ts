import { readFileSync } from "node:fs";

/**
 * The most memory that this process ever had, resident or asked for, in KiB. From proc(5): unlike
 * getrusage, it does not count what the parent had before exec.
 */
export function peakKiB(field: "VmHWM" | "VmPeak"): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}
