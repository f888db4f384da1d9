import { Cron } from "croner";
import { text } from "./kinds.js";

type Reject = (problem: string, hint: string) => Error;

/** A pattern of cron, with seconds as an optional first field; undefined for `off`. */
export const schedule = {
  ...text,
  parse: (given: string, reject: Reject): string | undefined => {
    if (given === "off") return undefined;
    try {
      // Five or six fields: a seventh, years, would end the schedule some day.
      if (given.trim().split(/\s+/).length > 6) throw new TypeError("too many fields");
      if (new Cron(given, { timezone: "UTC" }).nextRun() !== null) return given;
    } catch {
      // The words of the library are for developers.
    }
    throw reject(
      "is not a schedule",
      "write minute, hour, day, month and day of the week as cron has them, such as 0 2 * * *, or off",
    );
  },
} as const;
