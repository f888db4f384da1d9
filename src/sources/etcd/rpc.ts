import { createRequire } from "node:module";
import type { PackageDefinition } from "@grpc/proto-loader";
import type {
  IAlarmRequest,
  IAlarmResponse,
  IAuthenticateRequest,
  IAuthenticateResponse,
  IDeleteRangeRequest,
  IDeleteRangeResponse,
  ILeaseGrantRequest,
  ILeaseGrantResponse,
  ILeaseKeepAliveRequest,
  ILeaseKeepAliveResponse,
  ILeaseRevokeRequest,
  ILeaseRevokeResponse,
  ILeaseTimeToLiveRequest,
  ILeaseTimeToLiveResponse,
  IPutRequest,
  IPutResponse,
  IRangeRequest,
  IRangeResponse,
  ISnapshotRequest,
  ISnapshotResponse,
  IStatusRequest,
  IStatusResponse,
  ITxnRequest,
  ITxnResponse,
  IWatchRequest,
  IWatchResponse,
} from "etcd3";
import { EtcdError } from "./errors.js";

/** A message to send. Its bytes need not be a Buffer. */
export type Sent<T> = T extends Buffer
  ? Uint8Array
  : T extends string | number | boolean
    ? T
    : { readonly [K in keyof T]: Sent<T[K]> };

/**
 * A message as it arrives: proto3 leaves out each field that has its default value. 64-bit integers are decimal
 * strings; an enum has the name of its value, or the number where etcd3 does not know it.
 */
export type Received<T> = { readonly [K in keyof T]?: ReceivedField<T[K]> };

type ReceivedField<T> = T extends Buffer | boolean
  ? T
  : T extends string
    ? string extends T
      ? T
      : T | number
    : T extends (infer Item)[]
      ? readonly ReceivedField<Item>[]
      : Received<T>;

/** A call of etcd's API: its name, and how its messages are encoded and decoded. */
export class Rpc<Request extends object, Response> {
  readonly #service: string;
  readonly #method: string;

  constructor(service: string, method: string) {
    this.#service = service;
    this.#method = method;
  }

  /** `Service/Method` of package `etcdserverpb`. */
  get name(): string {
    return `${this.#service}/${this.#method}`;
  }

  encode(request: Request): Buffer {
    return this.#definition.requestSerialize(request);
  }

  /** @throws EtcdError `ETCD_PROTOCOL` */
  decode(response: Buffer): Received<Response> {
    return checkDecoded(() => this.#definition.responseDeserialize(response));
  }

  get #definition() {
    const service = loadDefinitions()[`etcdserverpb.${this.#service}`];
    const method = service !== undefined && !("format" in service) && service[this.#method];
    if (!method) throw new TypeError(`etcd3 does not define ${this.name}`);
    return method;
  }
}

export const AUTHENTICATE = new Rpc<Sent<IAuthenticateRequest>, IAuthenticateResponse>(
  "Auth",
  "Authenticate",
);
export const RANGE = new Rpc<Sent<IRangeRequest>, IRangeResponse>("KV", "Range");
export const PUT = new Rpc<Sent<IPutRequest>, IPutResponse>("KV", "Put");
export const DELETE_RANGE = new Rpc<Sent<IDeleteRangeRequest>, IDeleteRangeResponse>(
  "KV",
  "DeleteRange",
);
export const TXN = new Rpc<Sent<ITxnRequest>, ITxnResponse>("KV", "Txn");
export const LEASE_GRANT = new Rpc<ILeaseGrantRequest, ILeaseGrantResponse>("Lease", "LeaseGrant");
/**
 * A stream in etcd's API. On the wire a unary call is a stream that the client ends after one request: etcd answers it
 * and ends the stream as well (`leaseKeepAlive` of its `api/v3rpc/lease.go` returns at the end of the requests).
 */
export const LEASE_KEEP_ALIVE = new Rpc<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>(
  "Lease",
  "LeaseKeepAlive",
);
export const LEASE_REVOKE = new Rpc<ILeaseRevokeRequest, ILeaseRevokeResponse>(
  "Lease",
  "LeaseRevoke",
);
export const LEASE_TIME_TO_LIVE = new Rpc<ILeaseTimeToLiveRequest, ILeaseTimeToLiveResponse>(
  "Lease",
  "LeaseTimeToLive",
);
export const ALARM = new Rpc<IAlarmRequest, IAlarmResponse>("Maintenance", "Alarm");
export const STATUS = new Rpc<IStatusRequest, IStatusResponse>("Maintenance", "Status");
/** Answers with a stream. */
export const SNAPSHOT = new Rpc<ISnapshotRequest, ISnapshotResponse>("Maintenance", "Snapshot");
/** Answers with a stream, until the client ends the call. */
export const WATCH = new Rpc<Sent<IWatchRequest>, IWatchResponse>("Watch", "Watch");

/**
 * Runs `decode`, and reports what protobufjs rejects as a malformed response.
 *
 * @throws EtcdError `ETCD_PROTOCOL`
 */
export function checkDecoded<T>(decode: () => T): T {
  try {
    return decode();
  } catch (cause) {
    throw new EtcdError("ETCD_PROTOCOL", "malformed response of etcd", { cause });
  }
}

let definitions: PackageDefinition | undefined;

/** Loading takes about 100 ms of CPU, which only a process that talks to etcd spends. */
function loadDefinitions(): PackageDefinition {
  if (definitions === undefined) {
    const require = createRequire(import.meta.url);
    const { loadSync }: typeof import("@grpc/proto-loader") = require("@grpc/proto-loader");
    definitions = loadSync(require.resolve("etcd3/proto/rpc.proto"), {
      keepCase: true,
      longs: String,
      enums: String,
    });
  }
  return definitions;
}
