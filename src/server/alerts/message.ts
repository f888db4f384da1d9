import { randomUUID } from "node:crypto";
import { BackupToolError } from "../../errors.js";
import type { ActiveAlert } from "../status.js";

/** What a receiver of alerts gets as JSON. Times are RFC 3339. */
export interface AlertMessage extends ActiveAlert {
  readonly format: 1;
  /** Of this message; the same when it is sent again. */
  readonly id: string;
  readonly status: "firing" | "resolved";
  /** When the condition was over. */
  readonly endedAt?: string;
  /** Identity of the server. */
  readonly server: string;
}

export function firing(alert: ActiveAlert, server: string): AlertMessage {
  const { key, name, site, message, since } = alert;
  const id = randomUUID();
  return { format: 1, id, status: "firing", key, name, site, message, since, server };
}

export function resolved(alert: ActiveAlert, server: string, now: Date): AlertMessage {
  return { ...firing(alert, server), status: "resolved", endedAt: now.toISOString() };
}

/** A receiver did not take a message. */
export class AlertError extends BackupToolError {
  /** Whether it may take the message later. */
  readonly retryable: boolean;

  constructor(message: string, retryable: boolean, cause?: unknown) {
    super("ALERT_FAILED", message, { cause });
    this.retryable = retryable;
  }
}
