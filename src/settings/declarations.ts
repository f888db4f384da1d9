import { choice, duration, list, size, text, toggle, wholeNumber } from "./kinds.js";

export const commonSettings = {
  config: { ...text, describe: "YAML file of settings, whose keys are names of flags" },
  json: { ...toggle, describe: "Print one JSON object per event on standard output" },
  quiet: { ...toggle, describe: "Print no progress and no remarks on standard error" },
  verbose: { ...toggle, describe: "Print more, and the stack of an error" },
} as const;

export const passphraseSettings = {
  "passphrase-file": { ...text, describe: "File whose only line is the passphrase" },
  "passphrase-command": {
    ...text,
    describe: "Shell command that prints the passphrase as its only line",
  },
} as const;

/** Of the backup that a command makes from another one. */
export const newPassphraseSettings = {
  "new-passphrase-file": { ...text, describe: "File whose only line is the new passphrase" },
  "new-passphrase-command": { ...text, describe: "Shell command that prints the new passphrase" },
} as const;

/** How the archive files of a new backup are made. */
export const sealSettings = {
  "archive-size": {
    ...size("1MiB"),
    default: "2GiB",
    describe: "Size at which the next file begins",
  },
  "compression-level": { ...wholeNumber(1, 19), default: "3", describe: "Level of zstd, 1 to 19" },
  kdf: {
    ...choice(["low-memory", "moderate", "sensitive"]),
    default: "moderate",
    describe: "Cost of guessing the passphrase",
  },
} as const;

export const folderSettings = {
  outputdir: { ...text, describe: "Folder of the backup (default: backup.dir)" },
} as const;

export const skipSettings = {
  "skip-etcd": { ...toggle, describe: "Leave etcd out" },
  "skip-ceph": { ...toggle, describe: "Leave Ceph out" },
} as const;

export const etcdSettings = {
  etcd: {
    ...list,
    default: ["127.0.0.1:2379"],
    describe: "Endpoints of etcd, host:port or URL; repeatable, or separated by commas",
  },
  user: { ...text, describe: "User of etcd, or user:password" },
  password: { ...text, describe: "Password of that user; better in BACKUPTOOL_PASSWORD" },
  cacert: { ...text, describe: "PEM file of the CA that signed the certificate of etcd" },
  cert: { ...text, describe: "PEM file of the client certificate" },
  key: { ...text, describe: "PEM file of the client certificate's key" },
  "etcd-timeout": { ...duration, default: "30s", describe: "Longest wait for one response" },
} as const;

/** Where the database of etcd is kept while it is read. */
export const spoolSettings = {
  "spool-dir": {
    ...text,
    describe:
      "Folder with room for etcd's database while it is read; encrypted there (default: the system's folder for temporary files)",
  },
} as const;

const ETCD_MODES = ["records", "raw", "both"] as const;

/** How a new backup holds etcd. */
export const etcdModeSettings = {
  "etcd-mode": {
    ...choice(ETCD_MODES),
    default: "records",
    describe:
      "How to hold etcd: its records, a raw snapshot (its database; needs the role root), or both",
  },
  ...spoolSettings,
} as const;

/** The same for a server, whose incremental backups hold records where the full ones hold both. */
export const serverEtcdModeSettings = {
  "etcd-mode": {
    ...choice(ETCD_MODES),
    describe:
      "How full backups hold etcd: records, raw or both (default: both, where the login and the disk permit)",
  },
  ...spoolSettings,
} as const;

export const cephSettings = {
  cephconf: { ...text, default: "/etc/ceph/ceph.conf", describe: "Configuration file of Ceph" },
  "ceph-user": {
    ...text,
    default: "admin",
    describe: "User of Ceph, such as admin or client.backup",
  },
  keyring: { ...text, describe: "Keyring file of that user (default: as ceph.conf says)" },
  "ceph-timeout": { ...duration, default: "2m", describe: "Longest wait for one operation" },
} as const;
