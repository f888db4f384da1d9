import { BackupToolError, type ErrorDetails } from "../../../errors.js";

/** Why a watch cannot go on. */
export type WatchEndReason =
  /** etcd has compacted revisions that the watch had not seen, or may have seen in part only. */
  | "compacted"
  /** etcd left revisions out. */
  | "hole"
  /** It is another cluster, or the same with an earlier or other history. */
  | "restored"
  /** etcd would take too long to send what is missing. */
  | "far-behind"
  /** No endpoint sends what etcd has. */
  | "stuck"
  /** The login may not read all keys. */
  | "denied"
  /** One revision has more changes than memory should hold. */
  | "too-large";

/** A watch has ended for good: only a new raw snapshot of etcd continues its log. */
export class WatchEnded extends BackupToolError {
  readonly reason: WatchEndReason;
  /** The oldest revision that etcd still has, where the reason is `compacted`. */
  readonly compactRevision: number | undefined;
  /** The revisions that are lost, as far as they are known. */
  readonly hole: { readonly from: number; readonly to: number } | undefined;

  constructor(
    reason: WatchEndReason,
    message: string,
    details: ErrorDetails & {
      readonly compactRevision?: number | undefined;
      readonly hole?: { readonly from: number; readonly to: number } | undefined;
    } = {},
  ) {
    super("WATCH_ENDED", `the watch of etcd has ended: ${message}`, details);
    this.reason = reason;
    this.compactRevision = details.compactRevision;
    this.hole = details.hole;
  }
}
