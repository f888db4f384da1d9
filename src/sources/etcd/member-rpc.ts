import type {
  ICompactionRequest,
  ICompactionResponse,
  IDefragmentRequest,
  IDefragmentResponse,
  IHashKVRequest,
  IHashKVResponse,
  IMemberAddRequest,
  IMemberAddResponse,
  IMemberListRequest,
  IMemberListResponse,
  IMemberPromoteRequest,
  IMemberPromoteResponse,
  IMemberRemoveRequest,
  IMemberRemoveResponse,
  IMemberUpdateRequest,
  IMemberUpdateResponse,
  IMoveLeaderRequest,
  IMoveLeaderResponse,
} from "etcd3";
import { Rpc, type Sent } from "./rpc.js";

/** etcd 3.4 answers from the member's own view; from 3.5 on, `linearizable` asks for the leader's. */
export const MEMBER_LIST = new Rpc<Sent<IMemberListRequest>, IMemberListResponse>(
  "Cluster",
  "MemberList",
);
/** Not idempotent: a second call fails, since the peer URLs exist. */
export const MEMBER_ADD = new Rpc<Sent<IMemberAddRequest>, IMemberAddResponse>(
  "Cluster",
  "MemberAdd",
);
/** Not idempotent: a second call fails, since the member is gone. */
export const MEMBER_REMOVE = new Rpc<Sent<IMemberRemoveRequest>, IMemberRemoveResponse>(
  "Cluster",
  "MemberRemove",
);
/** etcd 3.4.23 makes a learner a voting member with it, in the list of members alone. */
export const MEMBER_UPDATE = new Rpc<Sent<IMemberUpdateRequest>, IMemberUpdateResponse>(
  "Cluster",
  "MemberUpdate",
);
/** Rejected until the learner has caught up with the leader. Not idempotent: a voting member cannot be promoted. */
export const MEMBER_PROMOTE = new Rpc<Sent<IMemberPromoteRequest>, IMemberPromoteResponse>(
  "Cluster",
  "MemberPromote",
);
/** The hash of what one member stores up to a revision (0: the latest), and its compact revision. Reads the whole database. */
export const HASH_KV = new Rpc<IHashKVRequest, IHashKVResponse>("Maintenance", "HashKV");
/** Blocks the member's reads and writes until it is done. */
export const DEFRAGMENT = new Rpc<IDefragmentRequest, IDefragmentResponse>(
  "Maintenance",
  "Defragment",
);
/** Only the leader answers it. */
export const MOVE_LEADER = new Rpc<IMoveLeaderRequest, IMoveLeaderResponse>(
  "Maintenance",
  "MoveLeader",
);
export const COMPACT = new Rpc<ICompactionRequest, ICompactionResponse>("KV", "Compact");
