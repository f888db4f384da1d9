import type { Metrics } from "../metrics.js";
import type { ServerActions, ServerState } from "../status.js";
import type { HttpLog } from "./options.js";

/** What the routes work on. */
export interface HttpParts {
  readonly state: ServerState;
  readonly actions: ServerActions;
  readonly metrics: Pick<Metrics, "text" | "contentType">;
  readonly log: HttpLog;
}
