import { EtcdError } from "../errors.js";
import type { WatchEvent } from "./watch-answer.js";
import { WatchEnded } from "./watch-ended.js";

/** All changes of one revision. */
export interface RevisionGroup {
  readonly revision: number;
  /** etcd has sent this revision before. */
  readonly isRepeat: boolean;
  readonly events: readonly WatchEvent[];
}

/** Bytes of changes that one revision has at most. */
const MAX_BYTES = 240 << 20;
/** Counted for each change beside its bytes. */
const CHANGE_BYTES = 16;

/** Puts the events of a watch together to whole revisions, each of which is the last one plus 1. */
export class RevisionGroups {
  #last: number;
  readonly #maxBytes: number;
  #open: { readonly revision: number; readonly events: WatchEvent[]; bytes: number } | undefined;

  /** @param last revision that the first one follows */
  constructor(last: number, maxBytes = MAX_BYTES) {
    this.#last = last;
    this.#maxBytes = maxBytes;
  }

  /**
   * The revisions that an answer completes. Where the answer is a fragment, its last revision may go on in the next.
   *
   * @throws WatchEnded `hole`, `too-large`
   * @throws EtcdError `ETCD_PROTOCOL`
   */
  add(answer: {
    readonly events: readonly WatchEvent[];
    readonly fragment: boolean;
  }): RevisionGroup[] {
    const whole: RevisionGroup[] = [];
    for (const event of answer.events) {
      if (this.#open?.revision !== event.modRevision) {
        this.#close(whole);
        this.#open = { revision: event.modRevision, events: [], bytes: 0 };
      }
      this.#open.events.push(event);
      this.#open.bytes += event.kv.length + CHANGE_BYTES;
      if (this.#open.bytes > this.#maxBytes) {
        const { revision } = this.#open;
        throw new WatchEnded("too-large", `revision ${revision} has too many changes`, {
          hole: { from: revision, to: revision },
        });
      }
    }
    if (!answer.fragment) this.#close(whole);
    return whole;
  }

  #close(whole: RevisionGroup[]): void {
    if (this.#open === undefined) return;
    const { revision, events } = this.#open;
    this.#open = undefined;
    if (revision < 1) throw new EtcdError("ETCD_PROTOCOL", "etcd sent a change without a revision");
    const next = this.#last + 1;
    if (revision > next) {
      const to = revision - 1;
      const lost = next === to ? `revision ${to}` : `revisions ${next} to ${to}`;
      throw new WatchEnded("hole", `etcd left out ${lost}`, { hole: { from: next, to } });
    }
    if (revision === next) this.#last = revision;
    whole.push({ revision, isRepeat: revision !== next, events });
  }
}
