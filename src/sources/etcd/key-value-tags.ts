// Tags of `KeyValue` (etcd's kv.proto): the field's number, and in the lower three bits its wire type.
export const KEY = (1 << 3) | 2;
export const CREATE_REVISION = 2 << 3;
export const MOD_REVISION = 3 << 3;
export const VERSION = 4 << 3;
export const VALUE = (5 << 3) | 2;
export const LEASE = 6 << 3;
