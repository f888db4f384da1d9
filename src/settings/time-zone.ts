import { text } from "./kinds.js";

/** A name of the time zone database, such as Europe/Berlin. */
const timeZone = {
  ...text,
  parse: (given: string, reject: (problem: string, hint: string) => Error): string => {
    try {
      new Intl.DateTimeFormat("en", { timeZone: given });
      return given;
    } catch {
      throw reject("is not a time zone", "write a name such as UTC or Europe/Berlin");
    }
  },
} as const;

export const timeZoneSettings = {
  "schedule-time-zone": {
    ...timeZone,
    default: "UTC",
    describe: "Time zone of the schedules, and of days, weeks and months of retention",
  },
} as const;
