/** The messages between {@link FileThread} and its worker. The worker starts jobs in the order of sending. */
export type FileJob =
  | { kind: "open"; id: number; file: number; temporary: string; path: string | undefined }
  | {
      kind: "append";
      id: number;
      file: number;
      memory: SharedArrayBuffer;
      from: number;
      length: number;
    }
  | { kind: "finish"; id: number; file: number }
  | { kind: "abandon"; id: number; file: number };

export interface FileReply {
  readonly id: number;
  readonly error?: string;
  /** Name of a failed system call's errno, for example ENOSPC. */
  readonly errno?: string;
  readonly size?: number;
  readonly sha256?: string;
}
