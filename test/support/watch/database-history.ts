import { createHash } from "node:crypto";
import type { EtcdRevision } from "../../../src/sources/etcd/history.js";
import { EtcdDatabase } from "../../../src/sources/etcd/file/database.js";
import { readRawSnapshot } from "../../../src/sources/etcd/snapshot.js";
import { readKeyValue } from "../../../src/sources/etcd/watch/watch-answer.js";

const { signal } = new AbortController();

/** The changes of one revision, as digests for comparison; of a deletion, of the key alone. */
export type HistoryText = Map<number, string[]>;

/** The database of a member, read over the network into memory. */
export async function readDatabase(endpoint: string): Promise<EtcdDatabase> {
  let pieces: Buffer[] = [];
  const sink = {
    begin: async () => {
      pieces = [];
    },
    write: async (bytes: Buffer) => {
      pieces.push(bytes);
    },
  };
  await readRawSnapshot({ endpoints: [endpoint] }, sink, signal);
  const file = Buffer.concat(pieces);
  const access = {
    size: file.length,
    read: async (target: Uint8Array, position: number) =>
      file.copy(target, 0, position, position + target.length),
  };
  return await EtcdDatabase.open(access, "the snapshot");
}

/**
 * Every revision that the database file of a member has whole, above its compact revision: the same history by another
 * way than a watch.
 */
export async function databaseHistory(endpoint: string): Promise<HistoryText> {
  const database = await readDatabase(endpoint);
  const history: HistoryText = new Map();
  const { compactRevision } = await database.facts(signal);
  for await (const entries of database.entries(signal, { from: compactRevision + 1 })) {
    for (const { main, sub, deleted, value } of entries) {
      const changes = history.get(main) ?? [];
      if (changes.length !== sub) throw new Error(`change ${main}.${sub} is not the next one`);
      changes.push(textOf(deleted, value));
      history.set(main, changes);
    }
  }
  return history;
}

export function watchedHistory(revisions: readonly EtcdRevision[]): HistoryText {
  return new Map(
    revisions.map(({ revision, changes }) => [
      revision,
      changes.map(({ deleted, kv }) => textOf(deleted, kv)),
    ]),
  );
}

function textOf(deleted: boolean, kv: Uint8Array): string {
  const bytes = deleted ? readKeyValue(kv).key : kv;
  const digest = createHash("sha256").update(bytes).digest("hex");
  return `${deleted ? "deletes" : "puts"} ${digest}`;
}
