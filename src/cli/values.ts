import type { InferredOptionTypes } from "yargs";
import type { Flags } from "./flags.js";

/** What yargs makes of flags, by their names as typed. */
export type Values<F extends Flags> = InferredOptionTypes<{ -readonly [K in keyof F]: F[K] }>;
