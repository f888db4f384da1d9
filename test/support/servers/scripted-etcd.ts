import { createRequire } from "node:module";
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTO = createRequire(import.meta.url).resolve("etcd3/proto/rpc.proto");
const definitions = loadSync(PROTO, { keepCase: true, longs: String, enums: String });

type Unary = (request: Record<string, unknown>) => object;
type Answer = (call: ServerUnaryCall<object, object>, done: sendUnaryData<object>) => void;
type Snapshots = ServerWritableStream<object, object>;
type Watches = ServerDuplexStream<
  { create_request?: { start_revision?: string; fragment?: boolean } },
  object
>;

/**
 * A server in the place of etcd, for streams that no etcd can be made to send. It has no keys, and `revision` is what
 * it says of itself.
 */
export class ScriptedEtcd {
  readonly #server = new Server();
  clusterId = "17";
  revision = 100;
  raftTerm = 5;
  #port = 0;
  snapshot: (call: Snapshots) => void = (call) => call.end();
  /** Called for each watch that is created. */
  watch: (call: Watches, startRevision: number, fragment: boolean) => void = () => {};
  /** The oldest revision that a range can have. */
  compacted = 0;
  /** So many ranges come before it knows of the token that it has given out. */
  tokenIsLate = 0;

  static async start(): Promise<ScriptedEtcd> {
    const etcd = new ScriptedEtcd();
    await etcd.#start();
    return etcd;
  }

  get endpoint(): string {
    return `127.0.0.1:${this.#port}`;
  }

  get header() {
    const { clusterId, revision, raftTerm } = this;
    return { cluster_id: clusterId, member_id: "3", revision: `${revision}`, raft_term: raftTerm };
  }

  stop(): void {
    this.#server.forceShutdown();
  }

  async #start(): Promise<void> {
    this.#serve("KV", {
      Range: this.#unary(({ revision }) => {
        if (this.tokenIsLate > 0) {
          this.tokenIsLate--;
          throw new Error("etcdserver: invalid auth token");
        }
        if (Number(revision ?? 0) >= this.compacted || !revision) return { header: this.header };
        throw new Error("etcdserver: mvcc: required revision has been compacted");
      }),
    });
    this.#serve("Auth", {
      Authenticate: this.#unary(() => ({ header: this.header, token: "a token" })),
    });
    this.#serve("Lease", {
      LeaseTimeToLive: this.#unary(({ ID }) => ({ ID, TTL: "50", grantedTTL: "60" })),
    });
    this.#serve("Maintenance", {
      Status: this.#unary(() => ({ header: this.header, leader: "4" })),
      Snapshot: (call: Snapshots) => this.snapshot(call),
    });
    this.#serve("Watch", {
      Watch: (call: Watches) => {
        call.on("data", ({ create_request: created }) => {
          if (created === undefined) return;
          this.watch(call, Number(created.start_revision ?? 0), created.fragment ?? false);
        });
        call.on("end", () => call.end());
        call.on("error", () => {});
      },
    });
    this.#port = await new Promise((resolve, reject) => {
      this.#server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(error);
        else resolve(port);
      });
    });
  }

  #serve(
    name: string,
    methods: Record<string, Answer | ((call: Snapshots) => void) | ((call: Watches) => void)>,
  ): void {
    const service = definitions[`etcdserverpb.${name}`];
    if (service === undefined || "format" in service) throw new Error(`no service ${name}`);
    this.#server.addService(service, methods);
  }

  #unary(answer: Unary): Answer {
    return ({ request }, done) => {
      try {
        done(null, answer({ ...request }));
      } catch (error) {
        done({ code: 11, details: error instanceof Error ? error.message : String(error) });
      }
    };
  }
}
