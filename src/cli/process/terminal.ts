/** Streams, variables and signals of the process. Tests pass their own. */
export interface Terminal {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** State of standard output: its reader is gone, or a write failed. */
  readonly output: { closed: boolean; failure: Error | undefined };
  /** Aborts when the user interrupts the command. */
  readonly signal: AbortSignal;
  /** For a server: SIGHUP calls `onHangup`, and the process may take `graceMs` to stop. */
  serve?(graceMs: number, onHangup: () => void): void;
}
