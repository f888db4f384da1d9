import { type ChannelCredentials, Client, Metadata } from "@grpc/grpc-js";

export interface HostCall {
  /** `Service/Method` of package `etcdserverpb`. */
  readonly method: string;
  readonly request: Buffer;
  readonly token: string | undefined;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Take an answer of any size instead of at most {@link MAX_ANSWER_BYTES}. */
  readonly anySize: boolean;
}

/** Larger answers are refused before they are read, unless a call says otherwise. */
export const MAX_ANSWER_BYTES = 32 << 20;

/** Without it HTTP/2 lets the server send only 64 KiB before it waits for us. */
const WINDOW_BYTES = 4 << 20;

/** The gRPC channel to one endpoint. Answers are raw protocol buffers. */
export class EtcdHost {
  readonly address: string;
  readonly #credentials: ChannelCredentials;
  #bounded: Client | undefined;
  #unbounded: Client | undefined;
  /** Replaced by {@link renew}, perhaps with calls under way. */
  readonly #former: Client[] = [];

  constructor(address: string, credentials: ChannelCredentials) {
    this.address = address;
    this.#credentials = credentials;
  }

  get secure(): boolean {
    return this.#credentials._isSecure();
  }

  /** Rejects with gRPC's own error; a signal that fires cancels the call. */
  unary(call: HostCall): Promise<Buffer> {
    const client = this.#client(call.anySize);
    const metadata = new Metadata();
    // gRPC-Go reads the token from either key; etcd's client sends this one.
    if (call.token !== undefined) metadata.set("token", call.token);
    return new Promise((resolve, reject) => {
      const { signal } = call;
      const abort = (): void => running.cancel();
      const running = client.makeUnaryRequest(
        `/etcdserverpb.${call.method}`,
        same,
        same,
        call.request,
        metadata,
        { deadline: Date.now() + call.timeoutMs },
        (error, answer) => {
          signal?.removeEventListener("abort", abort);
          if (error !== null) reject(error);
          else if (answer === undefined) reject(new Error("an empty answer"));
          else resolve(answer);
        },
      );
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted) abort();
    });
  }

  /** Calls from now on go over new connections: the old ones may be dead without a word. */
  renew(): void {
    for (const client of [this.#bounded, this.#unbounded]) {
      if (client !== undefined) this.#former.push(client);
    }
    this.#bounded = undefined;
    this.#unbounded = undefined;
  }

  close(): void {
    this.renew();
    for (const client of this.#former.splice(0)) client.close();
  }

  #client(anySize: boolean): Client {
    if (anySize) {
      this.#unbounded ??= this.#open(-1);
      return this.#unbounded;
    }
    this.#bounded ??= this.#open(MAX_ANSWER_BYTES);
    return this.#bounded;
  }

  #open(maxAnswer: number): Client {
    return new Client(this.address, this.#credentials, {
      "grpc.max_receive_message_length": maxAnswer,
      "grpc.max_send_message_length": -1,
      "grpc-node.flow_control_window": WINDOW_BYTES,
      "grpc.use_local_subchannel_pool": 1,
      // The same as etcdctl: straight to the endpoint, whatever http_proxy says.
      "grpc.enable_http_proxy": 0,
      // Retrying is done in EtcdConnection; gRPC's own keeps a copy of what is sent.
      "grpc.enable_retries": 0,
      "grpc.service_config_disable_resolution": 1,
      // A connection that a firewall forgot is noticed while a call waits. etcd allows a ping every 5 s, and none
      // without a call: EtcdConnection makes calls instead.
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 10_000,
      "grpc.keepalive_permit_without_calls": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
    });
  }
}

function same(bytes: Buffer): Buffer {
  return bytes;
}
