import { createHash } from "node:crypto";
import { encode } from "cborg";
import { checkIn } from "./answer.js";
import { type Cbor, fields, Items } from "./cbor.js";
import type { Found, FoundItem } from "./contents.js";
import type { Facts } from "./facts.js";

/** docs/format.md, "INDEX.bin": its rules, and the comparison with the archive. */
const FILE = "INDEX.bin";

export function checkIndex(content: Buffer, facts: Facts, found: Found): void {
  const holds = (right: boolean, why: string) => checkIn(FILE, right, why);
  const archives = facts.files.length - 1;
  const ids: string[] = [];
  const pools: string[] = [];
  const own: FoundItem[] = [];
  let digests: (Cbor | undefined)[] = [];
  let kept = { objects: 0, keys: 0 };
  let restarts = 0;
  let lastKey: Buffer | undefined;
  let last: { place: number[]; tag: bigint } | undefined;
  let before = 0;
  const takePlace = (place: Cbor[], tag: bigint): { file: number; offset: number } | undefined => {
    const [backup = 0, file = 0, offset = 0] = place.map(Number);
    holds(backup < ids.length && offset % 512 === 0, "place");
    holds(file < (backup === 0 ? archives : 100_000), "file");
    if (backup > 0) return undefined;
    if (last !== undefined) {
      const [lastFile = 0, lastOffset = 0] = last.place;
      const after = file > lastFile || (file === lastFile && offset > lastOffset);
      const together = file === lastFile && offset === lastOffset && tag === 3n && last.tag === 3n;
      holds(after || together, "order");
    }
    last = { place: [file, offset], tag };
    return { file, offset };
  };
  const take = (item: Cbor) => {
    const tag = Array.isArray(item) ? item[0] : undefined;
    if (tag !== 0n) holds(ids.length >= (facts.incremental ? 2 : 1), "the chain is not first");
    if (tag === 0n) {
      const [, number, id] = fields(item, "uub");
      const hex = (id as Buffer).toString("hex");
      holds(before === ids.length && Number(number) === ids.length, "chain");
      holds(hex.length === 32 && !ids.includes(hex), "id");
      holds(ids.length > 0 || hex === facts.id, "own id");
      holds(ids.length !== 1 || (facts.incremental && hex === facts.base), "id of the base");
      holds(facts.incremental || ids.length === 0, "a base");
      ids.push(hex);
    } else if (tag === 1n) {
      const [, number, name] = fields(item, "uut");
      holds(facts.pools !== undefined && Number(number) === pools.length, "pool");
      const listed = facts.pools?.[pools.length];
      holds(listed === undefined ? facts.incremental : listed === name, "name of a pool");
      holds(!pools.includes(name as string), "a pool twice");
      pools.push(name as string);
    } else if (tag === 2n) {
      const [, pool, namespace, locator, name, size, mtime, , ...place] = fields(
        item,
        "uubbbuiUuuu",
      );
      holds(Number(pool) < Math.min(pools.length, facts.pools?.length ?? 0), "pool of an object");
      const here = takePlace(place, tag);
      if (here === undefined) {
        kept.objects++;
        return;
      }
      const hex = [namespace, locator, name].map((bytes) => (bytes as Buffer).toString("hex"));
      const id = JSON.stringify([pools[Number(pool)], ...hex]);
      own.push({ id, kind: "object", ...here, numbers: [size as bigint, mtime as bigint] });
      digests.push(undefined);
    } else if (tag === 3n) {
      const withDigest = Array.isArray(item) && item.length === 8;
      const [, key, modRevision, version, ...rest] = fields(
        item,
        withDigest ? "ubuuuuub" : "ubuuuuu",
      );
      const digest = withDigest ? rest.pop() : undefined;
      holds(digest === undefined || (digest as Buffer).length === 16, "digest");
      holds(facts.hasRecords && (key as Buffer).length > 0, "key");
      holds(lastKey === undefined || Buffer.compare(lastKey, key as Buffer) < 0, "order of keys");
      lastKey = key as Buffer;
      const here = takePlace(rest, tag);
      if (here === undefined) {
        kept.keys++;
        return;
      }
      const id = (key as Buffer).toString("hex");
      own.push({ id, kind: "key", ...here, numbers: [modRevision as bigint, version as bigint] });
      digests.push(digest);
    } else {
      holds(tag === 4n && fields(item, "u").length === 1 && facts.hasRecords, "kind of an item");
      restarts++;
      lastKey = undefined;
      kept = { ...kept, keys: 0 };
      // The keys so far are void, as are their records in the archive.
      digests = digests.filter((_, i) => own[i]?.kind === "object");
      own.splice(0, own.length, ...own.filter(({ kind }) => kind === "object"));
    }
  };
  const items = new Items(content);
  try {
    for (; !items.ended; before++) take(items.next());
  } catch (error) {
    checkIn(FILE, false, `item ${before}: ${error}`);
  }
  holds(ids.length >= (facts.incremental ? 2 : 1), "chain");
  holds(pools.length >= (facts.pools?.length ?? 0), "pools");
  holds(restarts === facts.restarts, "restarts");
  const { counts } = facts;
  const unread = kept.objects - (counts["unchangedObjects"] ?? 0);
  holds(unread >= 0 && unread <= (counts["missingObjects"] ?? 0), "unchanged objects");
  holds(kept.keys === counts["unchangedKeys"], "unchanged keys");
  holds(own.length === found.items.length, "number of items");
  found.items.forEach(({ record, ...item }, i) => {
    const said = own[i];
    holds(JSON.stringify(said, big) === JSON.stringify(item, big), `item of ${item.id}`);
    const digest = digests[i];
    if (digest === undefined) return;
    const sha256 = createHash("sha256").update(encode(record)).digest();
    holds(sha256.subarray(0, 16).equals(digest as Buffer), `digest of ${item.id}`);
  });
  for (const pool of found.tombstonePools) {
    checkIn("ARCHIVE00000.bin", pools.includes(pool), "pool of a tombstone");
  }
}

function big(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
