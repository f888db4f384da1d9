import type { Metrics } from "../metrics.js";
import type { ServerActions, ServerState } from "../status.js";

/** What the routes work on. */
export interface HttpParts {
  readonly state: ServerState;
  readonly actions: ServerActions;
  readonly metrics: Pick<Metrics, "text" | "contentType">;
  readonly log: HttpLog;
}

/** Where the HTTP server logs; a pino logger fits. */
export interface HttpLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}
