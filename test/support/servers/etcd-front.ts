import {
  Client,
  credentials,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";

const same = (bytes: Buffer): Buffer => bytes;
const AUTH = ["Authenticate", "AuthEnable", "AuthDisable"];
const USERS = ["UserAdd", "UserDelete", "UserGet", "UserList", "UserGrantRole"];
const ROLES = ["RoleAdd", "RoleDelete", "RoleList"];
const METHODS = [
  "KV/Range",
  "Maintenance/Status",
  "Cluster/MemberList",
  ...[...AUTH, ...USERS, ...ROLES].map((method) => `Auth/${method}`),
];

/** Has a call fail; resolves with nothing where it goes on. */
type Fault = (call: { readonly method: string; readonly token: string | undefined }) =>
  | {
      readonly details: string;
      /** etcd gets the call, and its answer is lost. */
      readonly late?: boolean;
    }
  | undefined;

/** A server in front of an etcd that passes calls on, and has some of them fail. */
export class EtcdFront {
  readonly #server = new Server();
  readonly #etcd: Client;
  #port = 0;

  private constructor(endpoint: string) {
    this.#etcd = new Client(endpoint, credentials.createInsecure());
  }

  static async start(endpoint: string, fault: Fault): Promise<EtcdFront> {
    const front = new EtcdFront(endpoint);
    for (const method of METHODS) front.#forward(method, fault);
    front.#port = await new Promise((resolve, reject) => {
      front.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
    return front;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  stop(): void {
    this.#server.forceShutdown();
    this.#etcd.close();
  }

  #forward(method: string, fault: Fault): void {
    const path = `/etcdserverpb.${method}`;
    const codec = {
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    const definition = { path, requestStream: false, responseStream: false, ...codec };
    const call = (
      { request, metadata }: ServerUnaryCall<Buffer, Buffer>,
      done: sendUnaryData<Buffer>,
    ): void => {
      const failure = fault({ method, token: tokenOf(metadata) });
      const failed = { code: status.INTERNAL, details: failure?.details ?? "" };
      if (failure !== undefined && !failure.late) {
        done(failed);
        return;
      }
      this.#etcd.makeUnaryRequest(path, same, same, request, metadata, (error, answer) =>
        failure === undefined ? done(error, answer) : done(failed),
      );
    };
    this.#server.addService({ call: definition }, { call });
  }
}

function tokenOf(metadata: Metadata): string | undefined {
  const [token] = metadata.get("token");
  return token === undefined || token === "" ? undefined : token.toString();
}
