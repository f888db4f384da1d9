import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Answer, checkIn } from "./answer.js";
import { Contents } from "./contents.js";
import { areNamed, type Facts, type FileFact, factsIn, isTime } from "./facts.js";
import { checkIndex } from "./index-items.js";
import { contentOf, dataKeyOf, type Head, headOf, macIsRight } from "./sealed-file.js";
import { untar } from "./tar.js";

/**
 * A second reader, made from public libraries and the text of docs/format.md, without src. For small backups only. Throws
 * {@link Answer}.
 */
export async function readBackup(folder: string, passphrase: string): Promise<Contents> {
  const manifest = manifestIn(folder);
  const metadataBytes = fileOf(folder, "METADATA.bin");
  const { head, dataKey } = await openMetadata(folder, metadataBytes, manifest, passphrase);
  checkIn("METADATA.bin", head.type === 3 && head.number === 0, "another file");
  const content = contentOf(metadataBytes, head, dataKey, "METADATA.bin");
  const facts = factsIn(content);
  checkIn("METADATA.bin", facts.id === head.id.toString("hex"), "id");
  checkIn("METADATA.bin", facts.chunkBytes === head.chunk, "chunk");
  checkIn("MANIFEST.json", isSame(facts, manifest), "differs");

  const contents = new Contents(facts);
  let plain = 0;
  const heads = facts.files.map(({ name, size }, i) => {
    const bytes = fileOf(folder, name);
    checkIn(name, bytes.length === size, "size");
    const index = name === "INDEX.bin";
    const other = ownHead(bytes, name, head, dataKey);
    const own = other.type === (index ? 2 : 1) && other.number === (index ? 0 : i);
    if (!own) throw new Answer("DOES_NOT_BELONG", name, "another file of this backup");
    checkIn(name, other.chunk === facts.chunkBytes, "chunk");
    return { bytes, head: other };
  });
  const contentAt = (i: number, name: string) => {
    const { bytes, head } = heads[i] as { bytes: Buffer; head: Head };
    const content = contentOf(bytes, head, dataKey, name);
    plain += content.length;
    return content;
  };
  const archives = facts.files.slice(0, -1);
  const index = contentAt(archives.length, "INDEX.bin");
  for (const [i, { name }] of archives.entries())
    contents.file(untar(contentAt(i, name), name), i, name);
  contents.end();
  checkIndex(index, facts, contents.found);
  for (const [key, value] of Object.entries(contents.counts)) {
    checkIn("METADATA.bin", facts.counts[key] === value, key);
  }
  checkIn("METADATA.bin", facts.plainBytes === plain, "plainBytes");
  checkIn("METADATA.bin", facts.firstBatch <= contents.recordEntries, "firstBatch");
  for (const [i, { name, sha256 }] of facts.files.entries()) {
    checkIn(name, sha256Of(heads[i]?.bytes ?? Buffer.alloc(0)) === sha256, "SHA-256");
  }
  return contents;
}

interface Manifest {
  readonly id: string;
  readonly kind: string;
  readonly base: string | null;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly etcdSnapshot?: number;
  readonly files: readonly FileFact[];
}

function manifestIn(folder: string): Manifest {
  const file = "MANIFEST.json";
  const path = join(folder, file);
  if (!existsSync(path)) {
    const partly = readdirSync(folder).some((name) =>
      /^\.?(ARCHIVE\d{5}|INDEX|METADATA)\.bin/.test(name),
    );
    throw new Answer(partly ? "UNFINISHED_BACKUP" : "NOT_A_BACKUP", null, "no manifest");
  }
  const text = readFileSync(path, "utf8");
  const version = /^\{\n {2}"format": (\d+),\n/.exec(text)?.[1];
  if (Number(version) > 1) throw new Answer("UNSUPPORTED_VERSION", file, "version");
  let value: Manifest & { readonly format: number };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Answer("DAMAGED", file, String(error));
  }
  const { id, kind, base, startedAt, finishedAt, etcdSnapshot, files } = value;
  const ordered = { format: 1, id, kind, base, startedAt, finishedAt, etcdSnapshot, files };
  checkIn(file, text === `${JSON.stringify(ordered, null, 2)}\n`, "form");
  checkIn(file, /^[0-9a-f]{32}$/.test(id) && isTime(startedAt) && isTime(finishedAt), "facts");
  const isRevision = Number.isSafeInteger(etcdSnapshot) && Number(etcdSnapshot) > 0;
  checkIn(file, !("etcdSnapshot" in value) || isRevision, "etcdSnapshot");
  checkIn(file, areNamed(files, "INDEX.bin", "METADATA.bin"), "files");
  return value;
}

function isSame(facts: Facts, manifest: Manifest): boolean {
  const kind = facts.incremental ? "incremental" : "full";
  const { id, base, startedAt, finishedAt } = facts;
  return (
    JSON.stringify([id, kind, base, startedAt, finishedAt]) ===
      JSON.stringify([
        manifest.id,
        manifest.kind,
        manifest.base,
        manifest.startedAt,
        manifest.finishedAt,
      ]) &&
    facts.snapshot?.revision === manifest.etcdSnapshot &&
    JSON.stringify(facts.files) === JSON.stringify(manifest.files.slice(0, -1))
  );
}

function fileOf(folder: string, name: string): Buffer {
  const path = join(folder, name);
  if (!existsSync(path)) throw new Answer("MISSING_FILE", name, "not there");
  return readFileSync(path);
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function openMetadata(
  folder: string,
  bytes: Buffer,
  manifest: Manifest,
  passphrase: string,
): Promise<{ head: Head; dataKey: Uint8Array }> {
  const file = "METADATA.bin";
  const facts = manifest.files.at(-1);
  const intact = facts?.sha256 === sha256Of(bytes) && facts.size === bytes.length;
  const damaged = new Answer("DAMAGED", file, "not the file that the manifest names");
  let head: Head;
  let dataKey: Uint8Array | undefined;
  try {
    head = headOf(bytes, file);
    dataKey = await dataKeyOf(head, passphrase, file);
  } catch (error) {
    throw intact ? error : damaged;
  }
  if (dataKey === undefined) {
    throw intact && sameSlotsElsewhere(folder, manifest, head)
      ? new Answer("WRONG_PASSPHRASE", file, "no slot opens")
      : damaged;
  }
  if (!macIsRight(head, dataKey)) throw damaged;
  if (head.id.toString("hex") !== manifest.id) {
    throw new Answer("DOES_NOT_BELONG", file, "a file of another backup");
  }
  if (!intact) throw damaged;
  return { head, dataKey };
}

function sameSlotsElsewhere(folder: string, { files }: Manifest, head: Head): boolean {
  return [files[0], files.at(-3), files.at(-2)].every((file) => {
    if (file === undefined) return true;
    const other = headOf(fileOf(folder, file.name), file.name);
    return !other.id.equals(head.id) || other.allSlots.equals(head.allSlots);
  });
}

function ownHead(bytes: Buffer, name: string, metadata: Head, dataKey: Uint8Array): Head {
  let head: Head;
  try {
    head = headOf(bytes, name);
  } catch (error) {
    throw new Answer("DAMAGED", name, String(error));
  }
  if (macIsRight(head, dataKey)) return head;
  const sameBackup = head.id.equals(metadata.id) || head.allSlots.equals(metadata.allSlots);
  throw new Answer(sameBackup ? "DAMAGED" : "DOES_NOT_BELONG", name, "header");
}
