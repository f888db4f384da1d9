import type { SnapshotRow } from "../../../src/operations/snapshots/events.js";
import type {
  JobName,
  ServerActions,
  ServerState,
  ServerStatus,
  Site,
  StreamRow,
  TriggerResult,
} from "../../../src/server/status.js";

/** The core of a server as HTTP sees it: a status that tests set, and the jobs that were begun. */
export class InMemoryServer implements ServerState, ServerActions {
  readonly begun: (JobName | "delta")[] = [];
  answer: TriggerResult = { accepted: true };
  rows: Partial<Record<Site, readonly SnapshotRow[]>> = {};
  streamRows: Partial<Record<Site, readonly StreamRow[]>> = {};
  configuration: unknown = {};
  #status: ServerStatus;
  readonly #listeners = new Set<() => void>();

  constructor(status: ServerStatus) {
    this.#status = status;
  }

  status(): ServerStatus {
    return this.#status;
  }

  snapshots(site: Site): readonly SnapshotRow[] {
    return this.rows[site] ?? [];
  }

  streams(site: Site): readonly StreamRow[] {
    return this.streamRows[site] ?? [];
  }

  config(): unknown {
    return this.configuration;
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async trigger(job: JobName): Promise<TriggerResult> {
    if (this.answer.accepted) this.begun.push(job);
    return this.answer;
  }

  flushDeltas(): TriggerResult {
    if (this.answer.accepted) this.begun.push("delta");
    return this.answer;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  change(changes: Partial<ServerStatus>): void {
    this.#status = { ...this.#status, ...changes };
    for (const listener of this.#listeners) listener();
  }
}
