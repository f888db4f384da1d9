/** The messages between {@link FileThread} and its worker. Jobs are done in the order they are sent. */
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
  /** errno name of a failed system call, for example ENOSPC. */
  readonly errno?: string;
  readonly size?: number;
  readonly sha256?: string;
}
