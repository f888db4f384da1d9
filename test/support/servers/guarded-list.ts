import {
  Client,
  credentials,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
} from "@grpc/grpc-js";

const same = (bytes: Buffer): Buffer => bytes;
/** What the probes of members call. */
const METHODS = ["Maintenance/Status", "Cluster/MemberList", "Auth/Authenticate"];

/** In front of an etcd with users: keeps its list of members from callers without a token, as newer releases of etcd do. */
export class GuardedList {
  readonly #server = new Server();
  readonly #etcd: Client;
  #port = 0;

  private constructor(endpoint: string) {
    this.#etcd = new Client(endpoint, credentials.createInsecure());
  }

  static async start(endpoint: string): Promise<GuardedList> {
    const front = new GuardedList(endpoint);
    for (const method of METHODS) front.#forward(method);
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

  #forward(method: string): void {
    const path = `/etcdserverpb.${method}`;
    const codec = {
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    const definition = { path, requestStream: false, responseStream: false, ...codec };
    this.#server.addService(
      { call: definition },
      {
        call: (
          { request, metadata }: ServerUnaryCall<Buffer, Buffer>,
          done: sendUnaryData<Buffer>,
        ) => {
          if (method === "Cluster/MemberList" && tokenOf(metadata) === undefined) {
            done({ code: 3, details: "etcdserver: user name is empty" });
            return;
          }
          this.#etcd.makeUnaryRequest(path, same, same, request, metadata, (error, answer) =>
            done(error, answer),
          );
        },
      },
    );
  }
}

function tokenOf(metadata: Metadata): string | undefined {
  const [token] = metadata.get("token");
  return token === undefined || token === "" ? undefined : token.toString();
}
