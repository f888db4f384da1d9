import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { HttpLog } from "./parts.js";
import { HttpProblem, problemOf } from "./problem.js";

/** On every answer: not stored, not guessed at, not framed, no scripts. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
};

/**
 * Headers of all answers, answers to unknown paths and methods, and errors without their inner details. Comes before
 * the routes.
 */
export function addAnswerRules(app: FastifyInstance, log: HttpLog): void {
  app.addHook("onRequest", async (_, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  const methods = new Map<string, string[]>();
  app.addHook("onRoute", ({ path, method }) => {
    methods.set(path, [...(methods.get(path) ?? []), method].flat());
  });
  app.setNotFoundHandler(async ({ method, url }, reply) => {
    const allowed = methods.get(url.split("?")[0] ?? "");
    const problem =
      allowed === undefined
        ? new HttpProblem(404, "NOT_FOUND", "there is nothing at this path")
        : new HttpProblem(405, "METHOD_NOT_ALLOWED", `${method} is not possible at this path`, {
            headers: { allow: allowed.join(", ") },
          });
    return await sendProblem(reply, problem);
  });
  app.setErrorHandler(async (error, request, reply) => {
    const problem = problemOf(error);
    logProblem(log, request, problem, error);
    return await sendProblem(reply, problem);
  });
}

async function sendProblem(reply: FastifyReply, problem: HttpProblem): Promise<FastifyReply> {
  return await reply.code(problem.status).headers(problem.headers).send(problem.body);
}

function logProblem(
  log: HttpLog,
  request: FastifyRequest,
  problem: HttpProblem,
  error: unknown,
): void {
  const { method, routeOptions, ip } = request;
  const fields = { method, path: routeOptions.url, client: ip, status: problem.status };
  if (problem.status === 500) {
    log.error({ ...fields, err: error }, "an HTTP request failed");
  } else if (method === "POST") {
    log.warn(fields, `an HTTP call was rejected: ${problem.message}`);
  }
}
