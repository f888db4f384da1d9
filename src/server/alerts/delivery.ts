import { errorMessage } from "../../errors.js";
import { type RetryPolicy, retry } from "../../flow/retry.js";
import { systemClock } from "../../flow/sleep.js";
import { AlertError, type AlertMessage } from "./message.js";
import { AlertQueue } from "./queue.js";

/** What logs a line with its fields, such as a logger of pino. */
export interface AlertLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What takes messages: a webhook or a command. */
export interface AlertReceiver {
  /** For messages. */
  readonly name: string;
  /** One try. Throws AlertError, InterruptedError. */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>;
  close(): void;
}

export type AlertRetries = Pick<
  RetryPolicy<AlertError>,
  "attempts" | "totalMs" | "firstDelayMs" | "maxDelayMs" | "random" | "clock"
>;

/** A receiver may be down for a day; then a message is dropped, so that newer ones are not held up for ever. */
export const ALERT_RETRIES: AlertRetries = {
  attempts: 1000,
  totalMs: 24 * 3600_000,
  firstDelayMs: 1000,
  maxDelayMs: 5 * 60_000,
  random: Math.random,
  clock: systemClock,
};

const MOST_WAITING = 100;

/** Sends messages to one receiver, one after the other, each until it is taken. */
export class AlertDelivery {
  readonly #receiver: AlertReceiver;
  readonly #retries: AlertRetries;
  readonly #log: AlertLog;
  readonly #queue = new AlertQueue(MOST_WAITING);
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(receiver: AlertReceiver, log: AlertLog, retries: AlertRetries = ALERT_RETRIES) {
    this.#receiver = receiver;
    this.#retries = retries;
    this.#log = log;
    this.#ended = this.#run();
  }

  push(message: AlertMessage): void {
    const dropped = this.#queue.push(message);
    if (dropped.length === 0) return;
    const alerts = dropped.map(({ key, status }) => `${key} ${status}`);
    this.#log.warn({ receiver: this.#receiver.name, alerts }, "Too many alerts wait: dropped some");
  }

  /** Ends a try in progress; messages that wait are dropped. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#queue.end();
    await this.#ended;
    this.#receiver.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      const message = await this.#queue.shift();
      if (message === undefined) return;
      const fields = { receiver: this.#receiver.name, alert: message.key, status: message.status };
      try {
        await retry(this.#policy(fields), signal, () => this.#receiver.send(message, signal));
        this.#log.info(fields, "Alert sent");
      } catch (error) {
        if (signal.aborted) return;
        this.#log.error({ ...fields, reason: errorMessage(error) }, "Alert not sent");
      }
    }
  }

  #policy(fields: object): RetryPolicy<AlertError> {
    return {
      ...this.#retries,
      advise: (error) => (error instanceof AlertError && error.retryable ? { error } : undefined),
      onRetry: ({ error, failures }) => {
        // The 1st, 2nd, 4th, 8th: a receiver that is down for a day does not fill the log.
        if ((failures & (failures - 1)) !== 0) return;
        const { message: reason } = error;
        this.#log.warn({ ...fields, failures, reason }, "Alert not sent yet, retrying");
      },
    };
  }
}
