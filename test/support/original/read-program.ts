/** Reads the archive of the original tool in argv[2] and prints what came of it, with the peak of memory. */
import { readOriginal } from "./judge.js";
import { peakKiB } from "../program/peak.js";

const reading = await readOriginal(process.argv[2] ?? "");
process.stdout.write(
  `${JSON.stringify({ ...reading, residentKiB: peakKiB("VmHWM"), addressSpaceKiB: peakKiB("VmPeak") })}\n`,
);
