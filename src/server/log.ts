import pino, { type Logger, type LoggerOptions } from "pino";
import pretty from "pino-pretty";
import { printable } from "../printable.js";

export type Log = Logger;

export interface LogOptions {
  /** Text for people, or one JSON object a line. */
  readonly format: "text" | "json";
  readonly level: "debug" | "info" | "warn";
  readonly colour: boolean;
  /** Receives whole lines. */
  write(line: string): void;
}

/** The log of a server. Each line leaves at once: nothing is lost when the process is killed. */
export function openLog({ format, level, colour, write }: LogOptions): Log {
  const options: LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { log: printableFields },
    hooks: {
      logMethod(args, method) {
        const [first, ...rest] = args;
        const safe = typeof first === "string" ? printable(first) : first;
        method.apply(this, [safe, ...rest.map(printableValue)] as typeof args);
      },
    },
  };
  if (format === "json") {
    const formatters = { ...options.formatters, level: (label: string) => ({ level: label }) };
    return pino({ ...options, formatters }, { write });
  }
  const lines = pretty.prettyFactory({
    colorize: colour,
    translateTime: "SYS:yyyy-mm-dd HH:MM:ss",
    singleLine: true,
  });
  return pino(options, { write: (line: string) => write(lines(line)) });
}

/** Names in a store may hold characters that act on a terminal. */
function printableFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, printableValue(value)]),
  );
}

function printableValue(value: unknown): unknown {
  return typeof value === "string" ? printable(value) : value;
}
