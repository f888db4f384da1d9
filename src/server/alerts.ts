import type { Environment } from "../snapstore/settings/roles.js";
import { AlertCommand } from "./alerts/command.js";
import {
  ALERT_RETRIES,
  AlertDelivery,
  type AlertLog,
  type AlertRetries,
} from "./alerts/delivery.js";
import { firing, resolved } from "./alerts/message.js";
import { Webhook, type WebhookOptions } from "./alerts/webhook.js";
import type { ActiveAlert } from "./status.js";

export interface AlertsOptions {
  /** Identity of this server, for the messages. */
  readonly server: string;
  readonly webhook?: WebhookOptions | undefined;
  /** Shell command that gets each message as JSON on standard input. */
  readonly command?: string | undefined;
  /** Variables of the server. */
  readonly env: Environment;
  readonly retries?: Partial<AlertRetries> | undefined;
}

/**
 * A command is the operator's own and works or does not: an outage that lasts a day is that of a service. Fewer tries
 * keep one that fails from being started over and over.
 */
const COMMAND_ATTEMPTS = 10;

/**
 * Tells the receivers once that a condition holds, and once that it is over. Nothing is kept on disk: after a restart,
 * or on another leader, conditions that hold are sent again.
 */
export class Alerts {
  readonly #server: string;
  readonly #log: AlertLog;
  readonly #deliveries: readonly AlertDelivery[];
  readonly #active = new Map<string, ActiveAlert>();

  constructor({ server, webhook, command, env, retries }: AlertsOptions, log: AlertLog) {
    this.#server = server;
    this.#log = log;
    const policy = { ...ALERT_RETRIES, ...retries };
    const deliveries: AlertDelivery[] = [];
    if (webhook !== undefined)
      deliveries.push(new AlertDelivery(new Webhook(webhook), log, policy));
    if (command !== undefined) {
      const onOutput = (text: string) => log.info({ output: text.trimEnd() }, "Alert command");
      const attempts = Math.min(policy.attempts, COMMAND_ATTEMPTS);
      const receiver = new AlertCommand({ command, env, onOutput });
      deliveries.push(new AlertDelivery(receiver, log, { ...policy, attempts }));
    }
    this.#deliveries = deliveries;
  }

  /** The conditions that hold, each since it was first seen, oldest first. */
  get active(): readonly ActiveAlert[] {
    return [...this.#active.values()];
  }

  /** @param conditions all that hold now, each with a key of its own */
  update(conditions: readonly ActiveAlert[], now = new Date()): void {
    const keys = new Set(conditions.map(({ key }) => key));
    for (const [key, alert] of this.#active) {
      if (keys.has(key)) continue;
      this.#active.delete(key);
      this.#log.info({ alert: key, since: alert.since }, `Alert over: ${alert.message}`);
      for (const delivery of this.#deliveries) delivery.push(resolved(alert, this.#server, now));
    }
    for (const alert of conditions) {
      const before = this.#active.get(alert.key);
      this.#active.set(alert.key, { ...alert, since: before?.since ?? alert.since });
      if (before !== undefined) continue;
      this.#log.warn({ alert: alert.key, since: alert.since }, `Alert: ${alert.message}`);
      for (const delivery of this.#deliveries) delivery.push(firing(alert, this.#server));
    }
  }

  /** Forgets all conditions without a message: another leader alerts from now on. */
  forget(): void {
    this.#active.clear();
  }

  /** Messages that were not sent yet are dropped. */
  async close(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.close()));
  }
}
