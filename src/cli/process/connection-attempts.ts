import { setDefaultAutoSelectFamilyAttemptTimeout } from "node:net";

/**
 * How long each address of a name gets before the next is tried, ms. Node drops the attempt then, and its
 * 250 ms are too short for a slow link: the rest of the addresses may be IPv6 without a route. One lost
 * packet (it is sent again after a second) must not end an attempt, and two attempts must fit in the ten
 * seconds that a connection of a store may take.
 */
const ATTEMPT_MS = 3000;

/** For every client of this process; gRPC and rclone try addresses at once, and drop none. */
export function waitForEachAddress(): void {
  setDefaultAutoSelectFamilyAttemptTimeout(ATTEMPT_MS);
}
