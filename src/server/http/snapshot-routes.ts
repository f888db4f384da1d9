import type { FastifyInstance } from "fastify";
import type { SnapshotRow } from "../../operations/snapshots/events.js";
import { type ServerState, type Site, SITES } from "../status.js";
import type { Access } from "./access.js";
import { HttpProblem } from "./problem.js";
import { siteOf } from "./query.js";
import { jsonOfLists } from "./row-stream.js";

/** `/snapshots` and `/snapshot/latest`, of both stores or of the one that `?store=` names. */
export function addSnapshotRoutes(app: FastifyInstance, access: Access, state: ServerState): void {
  app.get("/snapshots", { onRequest: access.reading }, async (request, reply) => {
    const site = siteOf(request);
    const sites = site === undefined ? sitesOf(state) : [site];
    const lists = Object.fromEntries(sites.map((one) => [one, viewsOf(state.snapshots(one))]));
    return await reply.type("application/json; charset=utf-8").send(jsonOfLists(lists));
  });

  app.get("/snapshot/latest", { onRequest: access.reading }, async (request) => {
    const store = siteOf(request) ?? "primary";
    const site = state.status().sites[store];
    if (site === undefined) {
      throw new HttpProblem(404, "NO_STORE", `the server has no ${store} store`);
    }
    const { checkedAt, newestRestorable } = site;
    if (checkedAt === undefined) {
      throw new HttpProblem(503, "NOT_LISTED", `the ${store} store was not listed yet`);
    }
    if (newestRestorable === undefined) {
      throw new HttpProblem(404, "NO_SNAPSHOT", `the ${store} store has no restorable snapshot`);
    }
    const chain = [...viewsOf(chainOf(state.snapshots(store), newestRestorable.snapshot))];
    const since = Date.parse(newestRestorable.time);
    const deltas = {
      durableRevision: state.status().deltas.sites[store]?.durableRevision ?? null,
      streams: state.streams(store).filter(({ lastSeen }) => Date.parse(lastSeen ?? "") >= since),
    };
    return { store, checkedAt, ...newestRestorable, chain, deltas };
  });
}

/** One by one, as they are needed. */
function* viewsOf(rows: readonly SnapshotRow[]): Generator<object> {
  for (const { primary: state, secondary: _, ...row } of rows) yield { ...row, state };
}

function sitesOf(state: ServerState): Site[] {
  const { sites } = state.status();
  return SITES.filter((site) => site === "primary" || sites[site] !== undefined);
}

/** The snapshots that a restore of the last one reads, the full one first. */
function chainOf(rows: readonly SnapshotRow[], name: string): SnapshotRow[] {
  const byId = new Map(rows.flatMap((row) => (row.id === undefined ? [] : [[row.id, row]])));
  const chain: SnapshotRow[] = [];
  let row = rows.find((one) => one.name === name);
  // Bases come from manifests, which could name each other in a circle.
  while (row !== undefined && !chain.includes(row)) {
    chain.unshift(row);
    row = row.base === undefined ? undefined : byId.get(row.base);
  }
  return chain;
}
