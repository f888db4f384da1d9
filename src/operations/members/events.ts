/** A member in a report about its cluster. Ids are as etcd prints them. */
export interface MemberRow {
  readonly id: string;
  /** Empty until it has started. */
  readonly name: string;
  readonly role: "leader" | "follower" | "learner" | "unknown";
  readonly healthy: boolean;
  /** What is wrong with it. */
  readonly problem?: string;
  /** Such as 3.4.23. */
  readonly version?: string;
  readonly revision?: number;
  /** Entries of the log that it has yet to apply. */
  readonly behind?: number;
  /** Bytes of the database's file. */
  readonly databaseBytes?: number;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
}

/** The state of a cluster. */
export interface ClusterReport {
  readonly clusterId: string;
  /** Name or id of the leader; absent while there is none. */
  readonly leader?: string;
  /** The latest of all members that answered. */
  readonly revision: number;
  readonly members: readonly MemberRow[];
  /** Everything that is not as it should be, of single members too. */
  readonly problems: readonly string[];
}

/** Events of operations on the members of etcd. */
export type MemberEvent =
  | ({ type: "etcd-cluster" } & ClusterReport)
  | {
      type: "founder-restored";
      dataDir: string;
      name: string;
      memberId: string;
      clusterId: string;
      revision: number;
      token: string;
      /** Flags of etcd's first start, without their dashes. */
      flags: readonly (readonly [string, string])[];
      /** The file that has them as variables; absent if none was asked for. */
      environmentFile?: string;
    }
  | { type: "etcd-quarantine"; state: "begun" | "resumed" | "lifted" | "none" }
  | { type: "member-removed"; member: string; clusterId: string }
  | { type: "member-added"; member: string; clusterId: string }
  /** etcd can be started on this machine. */
  | {
      type: "member-settings";
      member: string;
      flags: readonly (readonly [string, string])[];
      environmentFile?: string;
    }
  | { type: "member-waiting"; stage: string; why: string }
  | { type: "member-promoted"; member: string; clusterId: string }
  | { type: "member-joined"; member: string; clusterId: string; members: number };
