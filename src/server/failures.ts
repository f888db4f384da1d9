import type { Failure } from "./status.js";

const KEPT = 20;

/** The last failures, newest first. One that repeats is kept once, with its last time. */
export class RecentFailures {
  #list: Failure[] = [];

  add(failure: Failure): void {
    const others = this.#list.filter((one) => !isSame(one, failure));
    this.#list = [failure, ...others].slice(0, KEPT);
  }

  get list(): readonly Failure[] {
    return this.#list;
  }
}

function isSame(one: Failure, other: Failure): boolean {
  return (
    one.job === other.job &&
    one.site === other.site &&
    one.code === other.code &&
    one.message === other.message
  );
}
