import type { Options } from "yargs";

/** Flags by name, as yargs takes them. */
export type Flags = Readonly<Record<string, Options>>;

const text = { type: "string", requiresArg: true } as const;
const list = { type: "string", array: true, nargs: 1, requiresArg: true } as const;
const toggle = { type: "boolean" } as const;

export const commonFlags = {
  config: { ...text, describe: "YAML file with settings; its keys are the names of flags" },
  json: { ...toggle, describe: "Print one JSON object per event on standard output" },
  quiet: { ...toggle, describe: "No progress and no remarks on standard error" },
  verbose: { ...toggle, describe: "Say more, and add the stack to an error" },
} as const;

export const passphraseFlags = {
  "passphrase-file": { ...text, describe: "File with the passphrase in its only line" },
  "passphrase-command": {
    ...text,
    describe: "Shell command that prints the passphrase as its only line",
  },
} as const;

/** Of the backup that a command makes out of another. */
export const newPassphraseFlags = {
  "new-passphrase-file": { ...text, describe: "File with the passphrase of the new backup" },
  "new-passphrase-command": { ...text, describe: "Shell command that prints it" },
} as const;

/** How the files of a new backup are sealed. */
export const sealFlags = {
  "archive-size": { ...text, default: "2GiB", describe: "Size at which the next file begins" },
  "compression-level": { ...text, default: "3", describe: "Level of zstd, 1 to 19" },
  kdf: {
    type: "string",
    requiresArg: true,
    choices: ["low-memory", "moderate", "sensitive"] as const,
    default: "moderate" as const,
    describe: "Cost of guessing the passphrase",
  },
} as const;

export const folderFlags = {
  outputdir: { ...text, describe: "Folder of the backup; backup.dir unless told" },
} as const;

export const etcdFlags = {
  etcd: {
    ...list,
    default: ["127.0.0.1:2379"],
    describe: "Endpoint of etcd: host:port or URL; repeat it or use commas for more",
  },
  "skip-etcd": { ...toggle, describe: "Leave etcd out" },
  cacert: { ...text, describe: "PEM file of the authority that signed etcd's certificate" },
  cert: { ...text, describe: "PEM file of the client certificate for etcd" },
  key: { ...text, describe: "PEM file of its key" },
  user: { ...text, describe: "User of etcd, or user:password" },
  password: { ...text, describe: "Password of etcd's user; better in BACKUPTOOL_PASSWORD" },
  "etcd-timeout": { ...text, default: "30s", describe: "Longest wait for one answer of etcd" },
} as const;

export const cephFlags = {
  cephconf: { ...text, default: "/etc/ceph/ceph.conf", describe: "Configuration file of Ceph" },
  "skip-ceph": { ...toggle, describe: "Leave Ceph out" },
  "ceph-user": {
    ...text,
    default: "admin",
    describe: "User of Ceph, such as admin or client.backup",
  },
  keyring: { ...text, describe: "Keyring of that user; without it ceph.conf says where" },
  "ceph-timeout": { ...text, default: "2m", describe: "Longest wait for one operation of Ceph" },
} as const;

export const includePoolFlag = {
  "include-pool": { ...list, default: [] as string[], describe: "A pool to work on; repeatable" },
} as const;

export { list, text, toggle };
