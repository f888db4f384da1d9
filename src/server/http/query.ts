import type { FastifyRequest } from "fastify";
import { quoted } from "../../quoted.js";
import { type Site, SITES } from "../status.js";
import { HttpProblem } from "./problem.js";

/**
 * The parameters of a query, each at most once.
 *
 * @param names those that the path takes
 */
export function queryOf<Name extends string>(
  request: FastifyRequest,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const found: Partial<Record<Name, string>> = {};
  const parameters = new URLSearchParams(request.url.split("?").slice(1).join("?"));
  for (const [given, value] of parameters) {
    const name = names.find((one) => one === given);
    if (name === undefined) throw badQuery(`unknown parameter ${quoted(given)}`);
    if (found[name] !== undefined) throw badQuery(`${name} is given twice`);
    found[name] = value;
  }
  return found;
}

/** The store that a query asks for. */
export function siteOf(request: FastifyRequest): Site | undefined {
  const { store } = queryOf(request, ["store"]);
  if (store === undefined) return undefined;
  const site = SITES.find((one) => one === store);
  if (site === undefined) throw badQuery(`store must be ${SITES.join(" or ")}`);
  return site;
}

function badQuery(message: string): HttpProblem {
  return new HttpProblem(400, "BAD_REQUEST", message);
}
