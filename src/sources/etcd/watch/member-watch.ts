import type { EtcdConnection } from "../connection.js";
import { EtcdError } from "../errors.js";
import { ZERO_KEY } from "../key-order.js";
import { WATCH } from "../rpc.js";
import { CatchUp } from "./catch-up.js";
import type { EarlierRevisions } from "./earlier-revisions.js";
import { type RevisionGroup, RevisionGroups } from "./revision-groups.js";
import { decodeWatchAnswer, type WatchAnswer } from "./watch-answer.js";
import { WatchEnded } from "./watch-ended.js";

/** The log that a watch continues, whichever member it watches. */
export interface WatchedLog {
  /** The last revision that was handed over. */
  readonly covered: number;
  readonly earlier: EarlierRevisions;
  /** The watch is accepted. */
  onCreated(): void;
  /** The last revision of the log has come again, and is the same. */
  onOverlap(): void;
  /** A part of an answer has come. */
  onFragment(): void;
  /** Hands whole revisions over; resolves when there is room for more. */
  deliver(groups: readonly RevisionGroup[]): Promise<void>;
  checkCluster(clusterId: bigint): void;
  /** Whether the cluster's compact revision is above `revision`. */
  isCompacted(revision: number): Promise<boolean>;
  compactRevision(): Promise<number>;
}

/**
 * Watches all keys at one member until the watch fails. It begins at the last revision of the log, where the log knows
 * what that has: etcd must send the same again.
 */
export class MemberWatch {
  readonly #log: WatchedLog;
  readonly #connection: EtcdConnection;
  readonly #fragment: boolean;
  readonly #groups: RevisionGroups;
  readonly #catchUp = new CatchUp();
  /** The revision that must come again first. */
  #overlap: number | undefined;
  /** Revision of the last event. */
  #last = 0;

  /** @param fragment whether etcd divides large answers */
  constructor(log: WatchedLog, connection: EtcdConnection, fragment: boolean) {
    this.#log = log;
    this.#connection = connection;
    this.#fragment = fragment;
    this.#groups = new RevisionGroups(log.covered);
    log.earlier.forgetAfter(log.covered);
    this.#overlap = log.earlier.has(log.covered) ? log.covered : undefined;
  }

  /** @throws WatchEnded, EtcdError, InterruptedError */
  async run(signal: AbortSignal): Promise<never> {
    const start = this.#overlap ?? this.#log.covered + 1;
    const create_request = {
      key: ZERO_KEY,
      range_end: ZERO_KEY,
      start_revision: start,
      progress_notify: true,
      fragment: this.#fragment,
    };
    const options = { signal, requireLeader: true, endless: true };
    let asked = performance.now();
    for await (const message of this.#connection.stream(WATCH, { create_request }, options)) {
      const now = performance.now();
      this.#catchUp.waited(now - asked, now);
      const answer = decodeWatchAnswer(message);
      this.#log.checkCluster(answer.clusterId);
      if (answer.canceled) throw this.#canceled(answer);
      if (answer.created) this.#log.onCreated();
      if (answer.fragment) this.#log.onFragment();
      await this.#take(answer);
      asked = performance.now();
      this.#catchUp.held(asked - now);
    }
    throw this.#error("ETCD_UNAVAILABLE", "the watch has ended");
  }

  async #take(answer: WatchAnswer): Promise<void> {
    const mayBeCatchUp = this.#catchUp.isPossible(performance.now());
    const whole: RevisionGroup[] = [];
    for (const group of this.#groups.add(answer)) {
      if (group.isRepeat) {
        await this.#checkRepeat(group);
        continue;
      }
      if (this.#overlap !== undefined) await this.#checkCompacted(this.#overlap, []);
      this.#log.earlier.add(group.revision, group.events);
      whole.push(group);
    }
    this.#last = answer.events.at(-1)?.modRevision ?? this.#last;
    if (!answer.fragment) this.#catchUp.answered(this.#last === answer.revision);
    const [first] = whole;
    if (first === undefined) return;
    if (mayBeCatchUp && (await this.#log.isCompacted(first.revision - 1))) {
      throw await this.#compacted(first.revision);
    }
    await this.#log.deliver(whole);
  }

  async #checkRepeat({ revision, events }: RevisionGroup): Promise<void> {
    switch (this.#log.earlier.compare(revision, events)) {
      case "same":
        if (revision === this.#overlap) this.#proved();
        return;
      case "different":
        return await this.#checkCompacted(revision, events);
      case "unknown":
        throw this.#error("ETCD_PROTOCOL", `revision ${revision} came again, too late to compare`);
    }
  }

  /** Accepts an earlier revision with other changes only where a compaction explains the difference. */
  async #checkCompacted(revision: number, events: RevisionGroup["events"]): Promise<void> {
    const isCompacted = await this.#log.isCompacted(revision - 1);
    const left = isCompacted ? this.#log.earlier.compareCompacted(revision, events) : "different";
    if (left === "unknown") throw await this.#compacted(revision);
    if (left === "different") {
      throw new WatchEnded("restored", `revision ${revision} has other changes now than before`);
    }
    if (revision === this.#overlap) this.#proved();
  }

  #proved(): void {
    this.#overlap = undefined;
    this.#log.onOverlap();
  }

  #canceled({ compactRevision, cancelReason }: WatchAnswer): WatchEnded | EtcdError {
    if (compactRevision > 0) return compactedAt(compactRevision, this.#log.covered + 1);
    const isLogin = /permission denied|auth token|auth store is old|user name is empty/;
    const code = isLogin.test(cancelReason) ? "ETCD_AUTH" : "ETCD_UNAVAILABLE";
    return this.#error(code, `the watch is canceled: ${cancelReason || "no reason is given"}`);
  }

  async #compacted(revision: number): Promise<WatchEnded> {
    return compactedAt(await this.#log.compactRevision(), revision);
  }

  #error(code: "ETCD_AUTH" | "ETCD_UNAVAILABLE" | "ETCD_PROTOCOL", why: string): EtcdError {
    const { endpoint } = this.#connection;
    const details = { endpoint, operation: WATCH.name };
    return new EtcdError(code, `etcd ${endpoint}, ${WATCH.name}: ${why}`, details);
  }
}

function compactedAt(compactRevision: number, revision: number): WatchEnded {
  return new WatchEnded(
    "compacted",
    `etcd was compacted at ${compactRevision} before revision ${revision} was read`,
    { compactRevision },
  );
}
