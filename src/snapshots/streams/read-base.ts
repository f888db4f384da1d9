import { ArchiveError } from "../../archive/errors.js";
import type { SnapStore } from "../../snapstore/store.js";
import type { SnapshotFacts } from "../catalog.js";
import { compareListed } from "../file-check.js";
import { withManifest } from "../manifest.js";
import type { StoredBase } from "./stored-stream.js";
import type { ListedStream } from "./stream-folder.js";

/** The base of a stream: its manifest is read, and compared with the listing. Undefined if the stream has no base. */
export async function readBase(
  store: SnapStore,
  { name, baseFiles }: Pick<ListedStream, "name" | "baseFiles">,
  signal: AbortSignal,
): Promise<StoredBase | undefined> {
  if (baseFiles.size === 0) return undefined;
  const revision = name.firstRevision - 1;
  try {
    const read = await withManifest(
      store,
      name.text,
      signal,
      async (manifest, digest): Promise<StoredBase> => {
        const { id, kind, base, startedAt, finishedAt, etcdSnapshot, files } = manifest;
        const bytes = files.reduce((sum, { size }) => sum + size, 0);
        const facts: SnapshotFacts = {
          ...{ id, kind, base, startedAt, finishedAt },
          ...{ files: files.length, bytes, digest },
          ...(etcdSnapshot !== undefined && { etcdSnapshot }),
        };
        const damage = (problem: string): StoredBase => {
          return { state: "damaged", problem, facts, revision };
        };
        if (kind !== "full") return damage(`its manifest is of a backup of kind ${kind}`);
        if (!id.startsWith(name.idStart)) return damage(`its id ${id} is not that of the stream`);
        if (etcdSnapshot !== revision) {
          const has = etcdSnapshot === undefined ? "no raw snapshot" : `revision ${etcdSnapshot}`;
          return damage(`it has ${has}, not revision ${revision}, after which the stream begins`);
        }
        const [first, ...more] = await compareListed(store, name.text, files, baseFiles, signal);
        if (first === undefined) return { state: "complete", facts, revision };
        const others = more.length === 0 ? "" : ` (and ${more.length} more)`;
        return damage(`${first.file}: ${first.reason}${others}`);
      },
    );
    return read ?? { state: "unfinished", revision };
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    return { state: "damaged", problem: error.message, revision };
  }
}
