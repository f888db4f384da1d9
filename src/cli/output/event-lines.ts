/** What an event says: on standard output, where scripts read it, and on standard error. */
export interface EventLines {
  readonly out?: readonly string[];
  readonly err?: readonly string[];
}
