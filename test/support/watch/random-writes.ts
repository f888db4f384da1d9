import { Etcd3 } from "etcd3";
import { SeededChoice } from "../seeded-choice.js";

type Operation =
  | { request_put: { key: Buffer; value: Buffer; lease?: string } }
  | { request_delete_range: { key: Buffer; range_end?: Buffer } };

/** Writes a random history: transactions of several keys, binary keys, deletions, leases, values up to 1.4 MB. */
export class RandomWrites {
  readonly #client: Etcd3;
  readonly #choice: SeededChoice;
  readonly #leases: string[] = [];
  readonly #largest: number;

  constructor(endpoints: readonly string[], seed: string, largest = 1_400_000) {
    this.#client = new Etcd3({
      hosts: endpoints.map((endpoint) => `http://${endpoint}`),
      grpcOptions: { "grpc.max_receive_message_length": -1 },
      defaultCallOptions: () => ({ deadline: Date.now() + 5_000 }),
    });
    this.#choice = new SeededChoice(seed);
    this.#largest = largest;
  }

  /** Makes `count` changes; those that fail, as while a member is down, count too. */
  async make(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#one().catch(() => {});
  }

  close(): void {
    this.#client.close();
  }

  async #one(): Promise<void> {
    const kind = this.#choice.below(20);
    if (kind === 0) {
      const { ID } = await this.#client.leaseClient.leaseGrant({
        TTL: 1 + this.#choice.below(600),
      });
      this.#leases.push(ID);
    } else if (kind === 1 && this.#leases.length > 3) {
      const [ID = "0"] = this.#leases.splice(this.#choice.below(this.#leases.length), 1);
      await this.#client.leaseClient.leaseRevoke({ ID });
    } else if (kind < 5) {
      const keys = new Set(Array.from({ length: 2 + this.#choice.below(12) }, () => this.#key()));
      await this.#txn([...keys].map((key) => this.#operation(Buffer.from(key, "hex"))));
    } else {
      await this.#txn([this.#operation(Buffer.from(this.#key(), "hex"))]);
    }
  }

  async #txn(success: Operation[]): Promise<void> {
    await this.#client.kv.txn({ success });
  }

  /** One of 200, some of them binary, in hexadecimal. */
  #key(): string {
    const number = this.#choice.below(200);
    const key =
      number < 40
        ? new SeededChoice(`key ${number}`).bytes(1 + (number % 9))
        : Buffer.from(`/registry/${number}`);
    return key.toString("hex");
  }

  #operation(key: Buffer): Operation {
    const kind = this.#choice.below(10);
    if (kind === 0) return { request_delete_range: { key } };
    if (kind === 1) {
      const range_end = Buffer.concat([key, Buffer.of(0x30)]);
      return { request_delete_range: { key, range_end } };
    }
    const value = Buffer.alloc(this.#size(), this.#choice.bytes(8));
    if (kind < 4 && this.#leases.length > 0) {
      return { request_put: { key, value, lease: this.#choice.of(this.#leases) } };
    }
    return { request_put: { key, value } };
  }

  #size(): number {
    const kind = this.#choice.below(100);
    if (kind === 0) return this.#largest;
    return kind < 10 ? 0 : this.#choice.below(2000);
  }
}
