/**
 * The name of a delta in the folder of its stream, such as `DELTA00000001-00009051-00009060-1565021533.bin`. Its revisions
 * and its time allow plans without a passphrase; readers check them against the sealed ones.
 */
export interface DeltaName {
  /** From 0, without gaps in a stream. */
  readonly number: number;
  /** First revision of etcd in it. */
  readonly first: number;
  readonly last: number;
  /** When its last revision was seen, seconds since 1970. */
  readonly time: number;
}

const DIGITS = 8;

export function deltaName({ number, first, last, time }: DeltaName): string {
  const [n, from, to] = [number, first, last].map((value) => String(value).padStart(DIGITS, "0"));
  return `DELTA${n}-${from}-${to}-${time}.bin`;
}

/** Undefined unless the text is exactly as {@link deltaName} writes it, with `first` up to `last`. */
export function parseDeltaName(text: string): DeltaName | undefined {
  const [, ...numbers] = /^DELTA(\d{8})-(\d{8,16})-(\d{8,16})-(\d{1,12})\.bin$/.exec(text) ?? [];
  const [number = 0, first = 0, last = 0, time = 0] = numbers.map(Number);
  const name = { number, first, last, time };
  return deltaName(name) === text && first > 0 && first <= last ? name : undefined;
}
