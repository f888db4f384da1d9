import { type ChannelCredentials, Client, Metadata } from "@grpc/grpc-js";
import { HostStream } from "./host-stream.js";

export interface HostCall {
  /** `Service/Method` of package `etcdserverpb`. */
  readonly method: string;
  readonly request: Buffer;
  readonly token?: string | undefined;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
  /** Accept a response of any size instead of at most {@link MAX_RESPONSE_BYTES}. */
  readonly anySize?: boolean | undefined;
}

export interface HostStreamCall {
  /** `Service/Method` of package `etcdserverpb`. */
  readonly method: string;
  readonly token?: string | undefined;
  /** Have etcd end the stream when the member has lost the leader. */
  readonly requireLeader?: boolean | undefined;
  /** Longest wait for a message, ms. */
  readonly silenceMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** gRPC rejects larger responses before it reads them. */
const MAX_RESPONSE_BYTES = 32 << 20;

/** As large is one message of a stream at most: etcd sends the changes of one revision in one, unless it divides them. */
const MAX_MESSAGE_BYTES = 256 << 20;

/** By default HTTP/2 lets the server send only 64 KiB before it waits for the client. */
const WINDOW_BYTES = 4 << 20;

/** The gRPC channel to one endpoint. Messages are encoded protocol buffers. */
export class EtcdHost {
  readonly address: string;
  readonly #credentials: ChannelCredentials;
  #bounded: Client | undefined;
  #unbounded: Client | undefined;
  #streams: Client | undefined;
  /** Replaced by {@link renew}; calls may still be in flight on them. */
  readonly #former: Client[] = [];

  constructor(address: string, credentials: ChannelCredentials) {
    this.address = address;
    this.#credentials = credentials;
  }

  get secure(): boolean {
    return this.#credentials._isSecure();
  }

  /** Rejects with gRPC's own error. An aborted signal cancels the call. */
  unary(call: HostCall): Promise<Buffer> {
    const { signal } = call;
    const client = this.#client(call.anySize ?? false);
    const metadata = new Metadata();
    if (call.token !== undefined) metadata.set("token", call.token);
    return new Promise((resolve, reject) => {
      const abort = (): void => running.cancel();
      const running = client.makeUnaryRequest(
        `/etcdserverpb.${call.method}`,
        identity,
        identity,
        call.request,
        metadata,
        { deadline: Date.now() + call.timeoutMs },
        (error, response) => {
          signal?.removeEventListener("abort", abort);
          if (error !== null) reject(error);
          else if (response === undefined) reject(new Error("an empty response"));
          else resolve(response);
        },
      );
      signal?.addEventListener("abort", abort, { once: true });
      if (signal?.aborted) abort();
    });
  }

  /**
   * Begins a call with a stream of responses, on a connection of its own: calls do not wait behind it. An aborted signal
   * cancels it.
   */
  stream(call: HostStreamCall): HostStream {
    this.#streams ??= this.#open(MAX_MESSAGE_BYTES);
    const metadata = new Metadata();
    if (call.token !== undefined) metadata.set("token", call.token);
    if (call.requireLeader) metadata.set("hasleader", "true");
    const running = this.#streams.makeBidiStreamRequest(
      `/etcdserverpb.${call.method}`,
      identity,
      identity,
      metadata,
    );
    const abort = (): void => running.cancel();
    const stream = new HostStream(running, call.silenceMs);
    running.once("status", () => call.signal?.removeEventListener("abort", abort));
    call.signal?.addEventListener("abort", abort, { once: true });
    if (call.signal?.aborted) abort();
    return stream;
  }

  /** Later calls use new connections: a firewall may have dropped the old ones without a notice. */
  renew(): void {
    for (const client of [this.#bounded, this.#unbounded, this.#streams]) {
      if (client !== undefined) this.#former.push(client);
    }
    this.#bounded = undefined;
    this.#unbounded = undefined;
    this.#streams = undefined;
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
    this.#bounded ??= this.#open(MAX_RESPONSE_BYTES);
    return this.#bounded;
  }

  #open(maxResponse: number): Client {
    return new Client(this.address, this.#credentials, {
      "grpc.max_receive_message_length": maxResponse,
      "grpc.max_send_message_length": -1,
      "grpc-node.flow_control_window": WINDOW_BYTES,
      "grpc.use_local_subchannel_pool": 1,
      // As etcdctl does, connect to the endpoint itself, whatever http_proxy says.
      "grpc.enable_http_proxy": 0,
      // EtcdConnection retries; gRPC's own retries keep a copy of each request.
      "grpc.enable_retries": 0,
      "grpc.service_config_disable_resolution": 1,
      // Pings find a dead connection while a call waits. etcd permits a ping every 5 s, and none
      // without a call: EtcdConnection makes calls instead.
      "grpc.keepalive_time_ms": 10_000,
      "grpc.keepalive_timeout_ms": 10_000,
      "grpc.keepalive_permit_without_calls": 0,
      "grpc.initial_reconnect_backoff_ms": 100,
      "grpc.max_reconnect_backoff_ms": 1000,
    });
  }
}

function identity(message: Buffer): Buffer {
  return message;
}
