import type {
  IAuthEnableRequest,
  IAuthEnableResponse,
  IAuthDisableRequest,
  IAuthDisableResponse,
  IAuthStatusRequest,
  IAuthStatusResponse,
  IAuthUserAddRequest,
  IAuthUserAddResponse,
  IAuthUserGetRequest,
  IAuthUserGetResponse,
  IAuthUserListRequest,
  IAuthUserListResponse,
  IAuthUserDeleteRequest,
  IAuthUserDeleteResponse,
  IAuthUserGrantRoleRequest,
  IAuthUserGrantRoleResponse,
  IAuthUserRevokeRoleRequest,
  IAuthUserRevokeRoleResponse,
  IAuthRoleAddRequest,
  IAuthRoleAddResponse,
  IAuthRoleGetRequest,
  IAuthRoleGetResponse,
  IAuthRoleListRequest,
  IAuthRoleListResponse,
  IAuthRoleDeleteRequest,
  IAuthRoleDeleteResponse,
  IAuthRoleGrantPermissionRequest,
  IAuthRoleGrantPermissionResponse,
  IAuthRoleRevokePermissionRequest,
  IAuthRoleRevokePermissionResponse,
} from "etcd3";
import { Rpc, type Sent } from "./rpc.js";

export const AUTH_ENABLE = new Rpc<Sent<IAuthEnableRequest>, IAuthEnableResponse>(
  "Auth",
  "AuthEnable",
);
export const AUTH_DISABLE = new Rpc<Sent<IAuthDisableRequest>, IAuthDisableResponse>(
  "Auth",
  "AuthDisable",
);
/** From etcd 3.5 on; earlier servers reject it as unimplemented. */
export const AUTH_STATUS = new Rpc<Sent<IAuthStatusRequest>, IAuthStatusResponse>(
  "Auth",
  "AuthStatus",
);
export const USER_ADD = new Rpc<Sent<IAuthUserAddRequest>, IAuthUserAddResponse>("Auth", "UserAdd");
export const USER_GET = new Rpc<Sent<IAuthUserGetRequest>, IAuthUserGetResponse>("Auth", "UserGet");
export const USER_LIST = new Rpc<Sent<IAuthUserListRequest>, IAuthUserListResponse>(
  "Auth",
  "UserList",
);
export const USER_DELETE = new Rpc<Sent<IAuthUserDeleteRequest>, IAuthUserDeleteResponse>(
  "Auth",
  "UserDelete",
);
export const USER_GRANT_ROLE = new Rpc<Sent<IAuthUserGrantRoleRequest>, IAuthUserGrantRoleResponse>(
  "Auth",
  "UserGrantRole",
);
export const USER_REVOKE_ROLE = new Rpc<
  Sent<IAuthUserRevokeRoleRequest>,
  IAuthUserRevokeRoleResponse
>("Auth", "UserRevokeRole");
export const ROLE_ADD = new Rpc<Sent<IAuthRoleAddRequest>, IAuthRoleAddResponse>("Auth", "RoleAdd");
export const ROLE_GET = new Rpc<Sent<IAuthRoleGetRequest>, IAuthRoleGetResponse>("Auth", "RoleGet");
export const ROLE_LIST = new Rpc<Sent<IAuthRoleListRequest>, IAuthRoleListResponse>(
  "Auth",
  "RoleList",
);
export const ROLE_DELETE = new Rpc<Sent<IAuthRoleDeleteRequest>, IAuthRoleDeleteResponse>(
  "Auth",
  "RoleDelete",
);
export const ROLE_GRANT_PERMISSION = new Rpc<
  Sent<IAuthRoleGrantPermissionRequest>,
  IAuthRoleGrantPermissionResponse
>("Auth", "RoleGrantPermission");
export const ROLE_REVOKE_PERMISSION = new Rpc<
  Sent<IAuthRoleRevokePermissionRequest>,
  IAuthRoleRevokePermissionResponse
>("Auth", "RoleRevokePermission");
