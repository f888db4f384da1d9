import { duration, repeatable, text, toggle } from "./kinds.js";

/** Who the member of this machine is, in the terms of etcd. */
export const memberSettings = {
  name: { ...text, describe: "Name of the member, as etcd's --name" },
  "initial-advertise-peer-urls": {
    ...text,
    describe: "URLs at which the other members reach it, separated by commas",
  },
  "etcd-data-dir": { ...text, describe: "Data directory of the member" },
} as const;

/** How etcd is started for the first time. */
export const firstStartSettings = {
  "environment-file": {
    ...text,
    describe: "File to write the settings of etcd's first start to, as variables",
  },
} as const;

export const newClusterSettings = {
  "initial-cluster-token": {
    ...text,
    describe: "Token of the new cluster, which was never used before (default: a random one)",
  },
} as const;

export const formerMembersSettings = {
  "initial-cluster": {
    ...text,
    describe: "Members of the former cluster, as name=URL, separated by commas",
  },
  "presume-lost": {
    ...repeatable,
    describe: "Endpoint or peer URL whose member is lost, although something listens; repeatable",
  },
} as const;

export const expectedMembersSettings = {
  "initial-cluster": {
    ...text,
    describe: "Members that there should be, as name=URL, separated by commas",
  },
} as const;

export const joinSettings = {
  replace: {
    ...toggle,
    describe: "Remove the former self of this member from the cluster: its data is lost",
  },
  "replace-id": {
    ...text,
    describe: "Id of the former self, where it had other peer URLs; as etcd status prints it",
  },
  "replace-after": {
    ...duration,
    default: "1m",
    describe: "How long the former self must be silent before it is removed",
  },
  "allow-unhealthy": {
    ...repeatable,
    describe: "Name or id of another member that may be down meanwhile; repeatable",
  },
  "add-only": {
    ...toggle,
    describe: "Add the member and end: etcd is started next, and this command run again",
  },
  "join-timeout": {
    ...duration,
    default: "15m",
    describe: "Longest time to wait while nothing changes",
  },
} as const;

export const quarantineSettings = {
  "etcd-quarantine": {
    ...toggle,
    describe: "Keep all clients but the user root, with the password given here, out meanwhile",
  },
} as const;
