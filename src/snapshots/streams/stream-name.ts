/**
 * The name of a stream of deltas, such as `Etcd-00009003-1565021504-9f86d081`: the folder that holds them. It has the
 * first 8 hexadecimal digits of the stream's id, so that two processes that start at the same revision and second have two folders.
 */
export interface StreamName {
  /** The name itself. */
  readonly text: string;
  /** Revision of etcd with which its log begins. A base in the folder has the revision before it. */
  readonly firstRevision: number;
  /** When it was started, seconds since 1970. */
  readonly time: number;
  /** 8 lower-case hexadecimal digits. */
  readonly idStart: string;
}

const REVISION_DIGITS = 8;
/** Hexadecimal digits of the id in a name. */
const ID_DIGITS = 8;

/** @param id of the stream, hexadecimal; its first digits alone are enough */
export function streamName(facts: {
  readonly firstRevision: number;
  readonly time: number;
  readonly id: string;
}): StreamName {
  const { firstRevision, time } = facts;
  const idStart = facts.id.slice(0, ID_DIGITS);
  const revision = String(firstRevision).padStart(REVISION_DIGITS, "0");
  return { text: `Etcd-${revision}-${time}-${idStart}`, firstRevision, time, idStart };
}

/** Undefined unless the text is exactly as {@link streamName} writes it: a stream has only one name. */
export function parseStreamName(text: string): StreamName | undefined {
  const [, first, time, id] = /^Etcd-(\d{8,16})-(\d{1,12})-([0-9a-f]{8})$/.exec(text) ?? [];
  if (first === undefined || id === undefined) return undefined;
  const parsed = streamName({ firstRevision: Number(first), time: Number(time), id });
  return parsed.text === text && parsed.firstRevision > 0 ? parsed : undefined;
}

/** By start, then by first revision. */
export function compareStreamNames(a: StreamName, b: StreamName): number {
  return (
    a.time - b.time ||
    a.firstRevision - b.firstRevision ||
    (a.text < b.text ? -1 : Number(a.text > b.text))
  );
}
