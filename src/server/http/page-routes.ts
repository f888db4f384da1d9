import type { FastifyInstance } from "fastify";
import { CONTENT_SECURITY_POLICY, renderPage } from "../page/page.js";
import type { ServerState } from "../status.js";
import type { Access } from "./access.js";
import type { EventStreams } from "./event-streams.js";

/** The status page and its events. */
export function addPageRoutes(
  app: FastifyInstance,
  access: Access,
  state: ServerState,
  streams: EventStreams,
): void {
  app.get("/", { onRequest: access.reading }, async (_, reply) => {
    reply.header("content-security-policy", CONTENT_SECURITY_POLICY);
    return await reply.type("text/html; charset=utf-8").send(renderPage(state.status()));
  });
  app.get("/events", { onRequest: access.reading, exposeHeadRoute: false }, (_, reply) => {
    streams.add(reply);
  });
}
