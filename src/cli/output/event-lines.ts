/** The lines of an event on standard output, for scripts too, and on standard error. */
export interface EventLines {
  readonly out?: readonly string[];
  readonly err?: readonly string[];
}
