import { type ClientDuplexStream, Client, credentials } from "@grpc/grpc-js";
import protobuf from "protobufjs/minimal.js";
import type { EtcdChange } from "../../../src/sources/etcd/history.js";

/** Every change of an etcd from now on, as a watch of all keys reports it: bytes as they came, grouped by revision. */
export class WatchRecorder {
  readonly changes = new Map<number, EtcdChange[]>();
  readonly #client: Client;
  readonly #stream: ClientDuplexStream<Buffer, Buffer>;
  #last = 0;
  #waiting: (() => void)[] = [];
  #failure: Error | undefined;

  /** @param from the first revision */
  constructor(endpoint: string, from: number) {
    const unlimited = { "grpc.max_receive_message_length": -1 };
    this.#client = new Client(endpoint, credentials.createInsecure(), unlimited);
    const asIs = (bytes: Buffer): Buffer => bytes;
    this.#stream = this.#client.makeBidiStreamRequest("/etcdserverpb.Watch/Watch", asIs, asIs);
    this.#stream.on("data", (response: Buffer) => {
      this.#take(response);
      this.#wake();
    });
    this.#stream.on("error", (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
    const create = protobuf.Writer.create();
    create.uint32((1 << 3) | 2).fork();
    create.uint32((1 << 3) | 2).bytes(Buffer.of(0));
    create.uint32((2 << 3) | 2).bytes(Buffer.of(0));
    create.uint32(3 << 3).int64(from);
    create.ldelim();
    this.#stream.write(Buffer.from(create.finish()));
  }

  /** Resolves once `revision` was seen. */
  async reach(revision: number): Promise<void> {
    while (this.#last < revision) {
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  close(): void {
    this.#stream.on("error", () => {});
    this.#stream.cancel();
    this.#client.close();
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #take(response: Buffer): void {
    const reader = protobuf.Reader.create(response);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === ((4 << 3) | 0) && reader.bool()) this.#failure = new Error("watch was canceled");
      else if (tag === ((11 << 3) | 2)) this.#event(Buffer.from(reader.bytes()));
      else if (tag !== 4 << 3) reader.skipType(tag & 7);
    }
  }

  #event(event: Buffer): void {
    const reader = protobuf.Reader.create(event);
    let deleted = false;
    let kv: Buffer = Buffer.alloc(0);
    while (reader.pos < reader.len) {
      const tag = reader.uint32();
      if (tag === 1 << 3) deleted = reader.uint32() === 1;
      else if (tag === ((2 << 3) | 2)) kv = Buffer.from(reader.bytes());
      else reader.skipType(tag & 7);
    }
    const revision = modRevision(kv);
    const changes = this.changes.get(revision) ?? [];
    this.changes.set(revision, changes);
    changes.push({ deleted, kv });
    this.#last = Math.max(this.#last, revision);
  }
}

function modRevision(kv: Buffer): number {
  const reader = protobuf.Reader.create(kv);
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 3 << 3) return Number(reader.int64());
    reader.skipType(tag & 7);
  }
  return 0;
}
