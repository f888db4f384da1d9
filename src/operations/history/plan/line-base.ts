/** What a line needs to know of a raw snapshot. */
export interface LineBase {
  readonly revision: number;
  /** All changes before are in it, ms since 1970. */
  readonly begunMs: number;
  /** No later change is in it, ms since 1970. */
  readonly takenMs: number;
  /** The stream that goes on from it, where it was made for one. */
  readonly stream?: unknown;
}

export interface LogFork {
  /** The first revision that was repeated. */
  readonly revision: number;
  /** Start of the stream that did, by its name, or of the raw snapshot that shows it, ms since 1970. */
  readonly atMs: number;
}

/** Whether a base that was begun after this one was complete has a lower revision. Names can be ahead of the clock. */
export function isRestored({ revision, begunMs, takenMs }: LineBase, later: LineBase): boolean {
  return later.revision < revision && later.begunMs > Math.max(begunMs, takenMs);
}

/** Likewise; the time of a backup does not count against the base of a stream, whose writer followed etcd. */
export function isOutdated(base: LineBase, later: LineBase): boolean {
  return isRestored(base, later) && (base.stream === undefined || later.stream !== undefined);
}

/** Whether revisions up to that of the base were made again by what was begun later. */
export function isBeforeFork(
  { revision, begunMs }: LineBase,
  { forks }: { readonly forks: readonly LogFork[] },
): boolean {
  return forks.some((fork) => fork.revision <= revision && fork.atMs > begunMs);
}
