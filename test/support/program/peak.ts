import { readFileSync } from "node:fs";

/**
 * The peak of the memory of this process, resident or virtual, in KiB. From proc(5): getrusage would count the parent
 * before exec.
 */
export function peakKiB(field: "VmHWM" | "VmPeak"): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]);
}
