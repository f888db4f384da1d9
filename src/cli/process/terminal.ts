/** The outside of the process, so that a command can be run without one. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What became of standard output: its reader went away, or it cannot be written. */
  readonly output: { closed: boolean; failure: Error | undefined };
  /** Fires when the user wants to stop. */
  readonly signal: AbortSignal;
}
