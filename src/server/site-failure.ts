import { BackupToolError, InterruptedError, NotLeaderError } from "../errors.js";
import { SyncError } from "../replication/sync/sync-error.js";
import type { Site } from "./status.js";

/** A failure of a job at one site. */
export class SiteFailure extends BackupToolError {
  readonly site: Site;

  constructor(site: Site, error: Error) {
    super(error instanceof BackupToolError ? error.code : "OTHER", error.message, {
      cause: error,
      advice: error instanceof BackupToolError ? error.advice : [],
    });
    this.site = site;
  }
}

/** The same error with its site, unless it has one, or is of no site. */
export function atSite(site: Site, error: unknown): unknown {
  const ofNone = [SiteFailure, InterruptedError, NotLeaderError];
  if (!(error instanceof BackupToolError) || ofNone.some((type) => error instanceof type)) {
    return error;
  }
  return new SiteFailure(site, error);
}

/** The site that an error is about, where it says so. */
export function siteOf(error: unknown): Site | undefined {
  if (error instanceof SiteFailure) return error.site;
  if (error instanceof SyncError) return error.side === "source" ? "primary" : "secondary";
  return undefined;
}
