import { setDefaultAutoSelectFamilyAttemptTimeout } from "node:net";

/**
 * How long to try each address of a name before the next one, ms. Node drops the attempt then, and its default of
 * 250 ms is too short for a slow link: the other addresses may be IPv6 without a route. One lost packet (sent again
 * after a second) must not end an attempt, and two attempts must fit in the ten seconds that a store's connection
 * may take.
 */
const ATTEMPT_MS = 3000;

/** For every client in this process; gRPC and rclone try all addresses in parallel and drop none. */
export function waitForEachAddress(): void {
  setDefaultAutoSelectFamilyAttemptTimeout(ATTEMPT_MS);
}
