import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Answer, checkIn } from "./answer.js";
import { type Cbor, fields, sequence } from "./cbor.js";
import { contentOf, dataKeyOf, type Head, headOf, macIsRight } from "./sealed-file.js";

/**
 * The log of a folder of streams, by docs/format.md, "A stream of deltas", without src: all of each delta in memory. Returns a
 * line for each revision; throws {@link Answer}.
 */
export async function readLogIn(
  root: string,
  { after, upTo }: { readonly after: number; readonly upTo: number },
  passphrase: string,
): Promise<string[]> {
  const streams = streamsIn(root);
  const log: Item[] = [];
  let at: { delta: Delta; content: Content } | undefined;
  const tried = new Set<Delta>();
  const wrong: unknown[] = [];
  for (let next = after + 1; next <= upTo; ) {
    const holding = streams
      .flatMap(({ deltas }) => deltas)
      .filter((delta) => delta.first <= next && delta.last >= next && !tried.has(delta));
    const delta =
      holding.find(
        (one) => one.stream === at?.delta.stream && one.number === at.delta.number + 1,
      ) ?? holding[0];
    if (delta === undefined) throw wrong[0] ?? new Answer("LOG_HOLE", null, `revision ${next}`);
    tried.add(delta);
    try {
      const content = await contentIn(root, delta, passphrase);
      checkJoint(delta, content, at, log.at(-1), next);
      at = { delta, content };
      for (const item of content.items) {
        if (item.revision < next || item.revision > upTo) continue;
        log.push(item);
        next = item.revision + 1;
      }
      wrong.length = 0;
    } catch (error) {
      wrong.push(error);
    }
  }
  return log.map(({ line }) => line);
}

interface Stream {
  readonly name: string;
  readonly first: number;
  readonly time: number;
  readonly id: string;
  readonly deltas: Delta[];
}

interface Delta {
  readonly stream: Stream;
  readonly file: string;
  readonly number: number;
  readonly first: number;
  readonly last: number;
  readonly time: number;
}

interface Item {
  readonly revision: number;
  readonly seen: number;
  readonly digest: string;
  readonly line: string;
}

interface Content {
  readonly cluster: string;
  readonly before: string | null;
  readonly items: readonly Item[];
}

/** The newest first. */
function streamsIn(root: string): Stream[] {
  return readdirSync(root)
    .flatMap((name) => {
      const [, first, time, id = ""] = /^Etcd-(\d+)-(\d+)-([0-9a-f]{8})$/.exec(name) ?? [];
      if (first === undefined || first.padStart(8, "0") !== first) return [];
      const stream = { name, first: Number(first), time: Number(time), id, deltas: [] as Delta[] };
      for (const file of readdirSync(join(root, name)).sort()) {
        const parts = /^DELTA(\d{8})-(\d+)-(\d+)-(\d+)\.bin$/.exec(file)?.slice(1).map(Number);
        const [number = 0, from = 0, last = 0, seen = 0] = parts ?? [];
        if (parts !== undefined) {
          stream.deltas.push({ stream, file, number, first: from, last, time: seen });
        }
      }
      return [stream];
    })
    .sort((a, b) => b.time - a.time || b.first - a.first);
}

/** The data key, and the header that it came from. */
async function keyOf(
  root: string,
  { name, deltas, id }: Stream,
  passphrase: string,
): Promise<{ head: Head; dataKey: Uint8Array }> {
  const answers: unknown[] = [];
  for (const { file } of deltas) {
    try {
      const head = headOf(readFileSync(join(root, name, file)), file);
      const dataKey = await dataKeyOf(head, passphrase, file);
      if (dataKey === undefined) throw new Answer("WRONG_PASSPHRASE", file, "no slot opens");
      checkIn(file, macIsRight(head, dataKey), "MAC");
      const isOwn = head.id.toString("hex").startsWith(id);
      if (!isOwn) throw new Answer("DOES_NOT_BELONG", file, "another stream");
      return { head, dataKey };
    } catch (error) {
      answers.push(error);
    }
  }
  throw answers[0];
}

async function contentIn(root: string, delta: Delta, passphrase: string): Promise<Content> {
  const { stream, file, number, first, last, time } = delta;
  const key = await keyOf(root, stream, passphrase);
  const path = join(root, stream.name, file);
  if (!existsSync(path)) throw new Answer("MISSING_FILE", file, "not there");
  checkIn(file, number > 0 || first === stream.first, "another first revision than the stream's");
  const bytes = readFileSync(path);
  let head: Head;
  try {
    head = headOf(bytes, file);
  } catch (error) {
    throw new Answer("DAMAGED", file, String(error));
  }
  if (!macIsRight(head, key.dataKey)) {
    const isOwn = head.id.equals(key.head.id) || head.allSlots.equals(key.head.allSlots);
    throw new Answer(isOwn ? "DAMAGED" : "DOES_NOT_BELONG", file, "header");
  }
  if (head.type !== 4 || head.number !== number) {
    throw new Answer("DOES_NOT_BELONG", file, "another file of this stream");
  }
  const plain = contentOf(bytes, head, key.dataKey, file);
  checkIn(file, plain.length <= 256 << 20, "too long");
  let found: Content & { readonly stream: string };
  try {
    found = parsed(plain, number);
  } catch (error) {
    throw new Answer("DAMAGED", file, String(error));
  }
  const { items } = found;
  const named =
    found.stream === stream.name &&
    items[0]?.revision === first &&
    items.at(-1)?.revision === last &&
    Math.floor((items.at(-1)?.seen ?? 0) / 1000) === time;
  if (!named) throw new Answer("DOES_NOT_BELONG", file, "another name");
  return found;
}

function parsed(plain: Buffer, number: number): Content & { readonly stream: string } {
  const [head, ...rest] = sequence(plain);
  const [version, stream, cluster, first, last, before, after, , hole] = optional(head);
  must(version === 1n, "version");
  must(isShort(stream) && typeof cluster === "string", "names");
  must(/^(0|[1-9a-f][0-9a-f]{0,15})$/.test(cluster), "cluster");
  must(Number(first) > 0 && Number(first) <= Number(last), "revisions");
  must(before === null ? number === 0 : isDigest(before), "before");
  must(isDigest(after), "after");
  if (hole !== null) {
    const [from, to, reason] = fields(hole, "uut");
    must(number === 0 && isShort(reason), "hole");
    must(
      Number(from) > 0 && Number(from) <= Number(to) && Number(to) === Number(first) - 1,
      "hole",
    );
  }
  const items = rest.map(itemOf);
  must(items.length === Number(last) - Number(first) + 1, "number of revisions");
  items.forEach(({ revision, seen }, i) => {
    must(revision === Number(first) + i, "order");
    must(i === 0 || seen >= (items[i - 1]?.seen ?? 0), "time");
  });
  must(items.at(-1)?.digest === (after as Buffer).toString("hex"), "after");
  return { stream, cluster, before: (before as Buffer | null)?.toString("hex") ?? null, items };
}

/** The parts of a head, of which two may be null. */
function optional(head: Cbor | undefined): Cbor[] {
  must(Array.isArray(head), "head");
  const kinds = ["u", "t", "t", "u", "u", "b", "b", "u", "a"];
  const filled = head.map((part, i) => {
    if (part !== null) return part;
    return i === 5 ? Buffer.alloc(16) : i === 8 ? [] : part;
  });
  fields(filled, kinds.join(""));
  return head;
}

function itemOf(item: Cbor): Item {
  const [revision, seen, changes, leases] = fields(item, "uuaa");
  must(Array.isArray(changes) && Array.isArray(leases), "lists");
  must(changes.length >= 1 && changes.length <= 2 ** 21, "changes");
  must(leases.length <= changes.length, "leases");
  const kvs = changes.map((change) => {
    const [deleted, kv] = fields(change, "ub");
    must((deleted === 0n || deleted === 1n) && Buffer.isBuffer(kv) && kv.length > 0, "change");
    return [deleted === 1n ? "delete" : "put", kv.toString("hex")];
  });
  const granted = leases.map((lease) => {
    const [id, ttl] = fields(lease, "iu");
    must(id !== 0n, "lease");
    return [String(id), Number(ttl)];
  });
  const [number, ms] = [Number(revision), Number(seen)];
  return {
    revision: number,
    seen: ms,
    digest: createHash("sha256").update(cbor(changes)).digest("hex").slice(0, 32),
    line: JSON.stringify([number, ms, kvs, granted]),
  };
}

/** Changes as CBOR: arrays, the numbers 0 and 1, and bytes. */
function cbor(value: Cbor): Buffer {
  if (Array.isArray(value)) return Buffer.concat([headed(4, value.length), ...value.map(cbor)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([headed(2, value.length), value]);
  return headed(0, Number(value));
}

function headed(major: number, value: number): Buffer {
  if (value < 24) return Buffer.of((major << 5) | value);
  const width = value < 2 ** 8 ? 1 : value < 2 ** 16 ? 2 : 4;
  const out = Buffer.alloc(1 + width);
  out[0] = (major << 5) | (24 + Math.log2(width));
  out.writeUIntBE(value, 1, width);
  return out;
}

function checkJoint(
  delta: Delta,
  { cluster, before, items }: Content,
  at: { readonly delta: Delta; readonly content: Content } | undefined,
  last: Item | undefined,
  next: number,
): void {
  if (at === undefined || last === undefined) return;
  const isWithin = at.delta.stream === delta.stream;
  const unlike = (why: string): Answer =>
    isWithin ? new Answer("DAMAGED", delta.file, why) : new Answer("LOG_FORK", null, why);
  if (cluster !== at.content.cluster) throw unlike("cluster");
  const shared = items.find(({ revision }) => revision === next - 1);
  const known = delta.first < next ? shared?.digest : before;
  if (known === null) throw new Answer("LOG_UNPROVEN", null, "before");
  if (known !== last.digest) throw unlike("changes");
  const fresh = items.find(({ revision }) => revision === next);
  checkIn(delta.file, !isWithin || (fresh?.seen ?? 0) >= last.seen, "time");
}

function isDigest(value: Cbor | undefined): boolean {
  return Buffer.isBuffer(value) && value.length === 16;
}

function isShort(value: Cbor | undefined): value is string {
  return typeof value === "string" && Buffer.byteLength(value) <= 256;
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
