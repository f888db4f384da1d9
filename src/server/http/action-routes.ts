import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { JobName, ServerStatus, TriggerResult } from "../status.js";
import type { Access } from "./access.js";
import type { HttpLog, HttpParts } from "./parts.js";
import { HttpProblem } from "./problem.js";
import { queryOf } from "./query.js";

const JOBS: Readonly<Record<string, JobName>> = {
  "/snapshot/full": "full",
  "/snapshot/incremental": "incremental",
  "/sync": "sync",
  "/prune": "retention",
};

/** A job, or a delta before its time. */
type Begun = JobName | "delta";

/** Calls that begin a job. They answer when it is begun, not when it ends. */
export function addActionRoutes(app: FastifyInstance, access: Access, parts: HttpParts): void {
  app.removeAllContentTypeParsers();
  // Read, so that the limit holds for it and the connection can be used again.
  app.addContentTypeParser("*", { parseAs: "buffer" }, async (_: unknown, body: Buffer) => body);
  for (const [path, job] of Object.entries(JOBS)) {
    app.post(path, { onRequest: access.changing }, async (request, reply) => {
      checkEmpty(request);
      return await begin(job, () => parts.actions.trigger(job), parts, request, reply);
    });
  }
  app.post("/snapshot/delta", { onRequest: access.changing }, async (request, reply) => {
    checkEmpty(request);
    return await begin("delta", async () => parts.actions.flushDeltas(), parts, request, reply);
  });
}

async function begin(
  job: Begun,
  action: () => Promise<TriggerResult>,
  { state, log }: HttpParts,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const result = await action();
  logCall(log, request, job, result);
  if (!result.accepted) throw rejection(job, result, state.status());
  return await reply.code(202).send({ job, accepted: true });
}

function rejection(
  job: Begun,
  { reason, message }: Extract<TriggerResult, { accepted: false }>,
  { leader }: ServerStatus,
): HttpProblem {
  switch (reason) {
    case "running":
      return new HttpProblem(409, "RUNNING", message ?? `the job ${job} runs already`);
    case "disabled":
      return new HttpProblem(409, "DISABLED", message ?? `the job ${job} is turned off`);
    case "not-leader": {
      const { current } = leader;
      const at = current === undefined ? "no leader is known" : leaderText(current);
      return new HttpProblem(503, "NOT_LEADER", `this server is not the leader; ${at}`, {
        headers: { "retry-after": "5" },
        fields: { leader: current ?? null },
      });
    }
    case "stopping":
      return new HttpProblem(503, "STOPPING", message ?? "the server is stopping");
    case "unavailable":
      return new HttpProblem(503, "UNAVAILABLE", message ?? `the job ${job} cannot run now`);
  }
}

function leaderText({ identity, url }: { identity: string; url?: string | undefined }): string {
  return url === undefined ? `the leader is ${identity}` : `the leader is ${identity} at ${url}`;
}

/** Nothing that the caller sends is ignored. */
function checkEmpty(request: FastifyRequest): void {
  queryOf(request, []);
  const { body } = request;
  if (!Buffer.isBuffer(body) || /^\s*(\{\s*\})?\s*$/.test(body.toString("latin1"))) return;
  throw new HttpProblem(400, "BAD_REQUEST", "this call takes no body");
}

function logCall(log: HttpLog, { ip }: FastifyRequest, job: Begun, result: TriggerResult): void {
  const fields = { job, client: ip };
  if (result.accepted) log.info(fields, `an HTTP call began the job ${job}`);
  else
    log.info({ ...fields, reason: result.reason }, `an HTTP call for the job ${job} was rejected`);
}
