import type { FastifyInstance } from "fastify";
import type { ServerStatus } from "../status.js";
import type { Access } from "./access.js";
import type { HttpParts } from "./parts.js";

/** `/healthz`, `/readyz`, `/metrics`, `/status` and `/config`. The first three are for monitoring, under any name. */
export function addStatusRoutes(
  app: FastifyInstance,
  access: Access,
  { state, metrics }: HttpParts,
): void {
  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async (_, reply) => {
    const problems = unreadyBecause(state.status());
    if (problems.length === 0) return { status: "ready" };
    return await reply.code(503).send({ status: "not ready", problems });
  });
  app.get("/metrics", async (_, reply) => {
    return await reply.type(metrics.contentType).send(await metrics.text());
  });
  app.get("/status", { onRequest: access.reading }, async () => state.status());
  app.get("/config", { onRequest: access.reading }, async () => state.config());
}

/** Why the server cannot do its work; empty if it can. */
function unreadyBecause({ sites: { primary }, leader }: ServerStatus): string[] {
  const problems: string[] = [];
  if (primary?.reachable !== true) problems.push("the primary store is not reachable");
  else if (primary.breaker === "open") problems.push("the primary store failed repeatedly");
  if (leader.election && !leader.isLeader && leader.current === undefined) {
    problems.push("no leader is known");
  }
  return problems;
}
