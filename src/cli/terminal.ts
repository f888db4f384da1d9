/** The outside of the process, so that a command can be run without one. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Fires when the user wants to stop. */
  readonly signal: AbortSignal;
}
