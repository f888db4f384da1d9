import type { AlertMessage } from "./message.js";

/** Messages that wait for one receiver, oldest first. */
export class AlertQueue {
  readonly #most: number;
  #waiting: AlertMessage[] = [];
  #ended = false;
  #wake = () => {};

  /** @param most messages that may wait */
  constructor(most: number) {
    this.#most = most;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /**
   * Adds a message. In a full queue the oldest two of one condition go first: such a pair begins and ends it, or ends
   * it and begins it again, so the receiver still learns its last state. Returns the messages that were dropped.
   */
  push(message: AlertMessage): readonly AlertMessage[] {
    this.#waiting.push(message);
    this.#wake();
    if (this.#waiting.length <= this.#most) return [];
    const dropped = this.#oldestPair() ?? this.#waiting.slice(0, 1);
    this.#waiting = this.#waiting.filter((one) => !dropped.includes(one));
    return dropped;
  }

  /** Removes the oldest message, and waits for one. Undefined after the end. */
  async shift(): Promise<AlertMessage | undefined> {
    while (!this.#ended) {
      const first = this.#waiting.shift();
      if (first !== undefined) return first;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return undefined;
  }

  end(): void {
    this.#ended = true;
    this.#wake();
  }

  #oldestPair(): AlertMessage[] | undefined {
    const byKey = new Map<string, AlertMessage>();
    for (const message of this.#waiting) {
      const before = byKey.get(message.key);
      if (before !== undefined) return [before, message];
      byKey.set(message.key, message);
    }
    return undefined;
  }
}
