import type { BackupReader } from "../../archive/backup-reader.js";
import type { BackupWriter } from "../../archive/backup-writer.js";
import type { RunningCounts } from "./counts.js";
import type { OperationContext } from "../context.js";

/** What the parts of one `create` share. */
export interface CreateRun {
  readonly writer: BackupWriter;
  readonly counts: RunningCounts;
  readonly base: BackupReader | undefined;
  readonly context: OperationContext;
  readonly keepGoing: boolean;
}
