import type { Failure, JobName, Site } from "../status.js";

export const SITE_TITLES: Readonly<Record<Site, string>> = {
  primary: "Primary",
  secondary: "Secondary",
};

export const JOB_TITLES: Readonly<Record<JobName, string>> = {
  full: "Full backup",
  incremental: "Incremental backup",
  sync: "Sync",
  retention: "Retention",
  verify: "Verification",
};

/** What can fail. */
export const FAILURE_TITLES: Readonly<Record<Failure["job"], string>> = {
  ...JOB_TITLES,
  deltas: "Deltas of etcd",
  server: "Server",
};
