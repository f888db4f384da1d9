import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The database of etcd 3.4.23 with three keys, at revision 9 and compacted at 4, as `etcdctl snapshot save` wrote it. */
export const DATABASE = readFileSync(
  fileURLToPath(new URL("../../../../fixtures/etcd-database.db", import.meta.url)),
);

const DIGEST_BYTES = 32;

/** The same with free pages at its end, so that it has at least so many bytes. */
export function longDatabase(bytes: number): Buffer {
  const pages = Buffer.alloc(Math.ceil(bytes / 4096) * 4096);
  DATABASE.copy(pages, 0, 0, DATABASE.length - DIGEST_BYTES);
  return Buffer.concat([pages, createHash("sha256").update(pages).digest()]);
}
