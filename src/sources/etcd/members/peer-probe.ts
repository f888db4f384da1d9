import { request as httpRequest } from "node:http";
import { request as httpsRequest } from "node:https";

/** Longest wait for the answer of a peer, ms. */
const ANSWER_MS = 3_000;

/**
 * The id of the cluster whose member listens at a peer URL, hexadecimal; undefined where none answers. A member that starts
 * while its cluster has no leader answers other members alone (`ReadyNotify` of etcd's `embed/serve.go`). One that demands
 * the certificates of members does not answer.
 */
export function clusterAtPeerUrl(url: string, signal: AbortSignal): Promise<string | undefined> {
  const target = new URL("/members", url);
  const abort = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]);
  return new Promise((resolve) => {
    // Nothing is sent that is secret, and the answer keeps a restore from going on at most.
    const asked =
      target.protocol === "https:"
        ? httpsRequest(target, { signal: abort, rejectUnauthorized: false, agent: false })
        : httpRequest(target, { signal: abort, agent: false });
    asked.on("error", () => resolve(undefined));
    asked.on("response", (response) => {
      const id = response.headers["x-etcd-cluster-id"];
      response.destroy();
      resolve(typeof id === "string" && /^[0-9a-f]{1,16}$/.test(id) ? id : undefined);
    });
    asked.end();
  });
}
