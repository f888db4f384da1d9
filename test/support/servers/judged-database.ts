import { open } from "node:fs/promises";
import type { ExecutionContext } from "ava";
import { EtcdDatabase } from "../../../src/sources/etcd/file/database.js";
import { fileAccess } from "../../../src/sources/etcd/file/random-access.js";
import { checkSnapshotDigest } from "../../../src/sources/etcd/file/snapshot-digest.js";
import type { EtcdServer } from "./etcd-server.js";
import { hashAt, linesOf, type LiveState, recordsOf } from "./random-history.js";

const { signal } = new AbortController();

/** Opens a database file until the test ends. */
export async function openDatabase(t: ExecutionContext, path: string): Promise<EtcdDatabase> {
  const handle = await open(path);
  t.teardown(() => handle.close());
  return EtcdDatabase.open(await fileAccess(handle), path);
}

/** Starts an etcd on the file of a database, and compares what it answers with what the live one did. */
export async function judgeDatabase(
  t: ExecutionContext,
  server: EtcdServer,
  path: string,
  state: LiveState,
  written: { readonly bytes: number; readonly sha256: string },
): Promise<void> {
  const database = await openDatabase(t, path);
  t.deepEqual(await checkSnapshotDigest(database.file, path, signal), {
    bytes: written.bytes,
    sha256: written.sha256,
  });
  const facts = await database.facts(signal);
  t.is(facts.revision, state.revision);
  await server.ctl("snapshot", "status", path);
  await server.restoreFrom(path);
  t.is(await server.revision(), state.revision);
  // etcd refuses the hash of the compact revision, and leaves out of others what is compacted.
  if (facts.compactRevision < state.revision) {
    const { hash, compactRevision } = await hashAt(server, state.revision);
    t.is(compactRevision, facts.compactRevision);
    if (compactRevision === state.compactRevision) t.is(hash, state.hash);
  }
  t.deepEqual(linesOf((await recordsOf(server)).records), linesOf(state.records));
}
