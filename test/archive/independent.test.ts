import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { argon2id, hash } from "argon2";
import test from "ava";
import { decode, decodeFirst } from "cborg";
import type Sodium from "libsodium-wrappers";
import { extract } from "tar-stream";
import { decompress } from "zstd-napi";
import { FULL_CONTENTS } from "../support/archive/full-sample.js";
import { SAMPLE_PASSPHRASE, writeSample } from "../support/archive/sample.js";
import { newFolder } from "../support/folders.js";

/**
 * A second reader, made from public libraries and the text of docs/format.md. It uses src/archive only to write the
 * backup.
 */
const sodium = createRequire(import.meta.url)("libsodium-wrappers") as typeof Sodium;

/** Plaintext of a sealed file, by the section "A sealed file". */
async function unseal(bytes: Buffer, type: number, number: number): Promise<Buffer[]> {
  await sodium.ready;
  if (bytes.toString("latin1", 0, 8) !== "BKPTOOL1") throw new Error("magic");
  if (bytes.readUInt8(8) !== type || bytes.readUInt32LE(12) !== number) throw new Error("type");
  const slots = bytes.readUInt16LE(36);
  let at = 38;
  let dataKey: Uint8Array | undefined;
  for (let i = 0; i < slots; i++) {
    const payload = bytes.subarray(at + 3, at + 3 + bytes.readUInt16LE(at + 1));
    if (bytes.readUInt8(at) === 1) {
      const wrapping = await hash(SAMPLE_PASSPHRASE, {
        type: argon2id,
        raw: true,
        hashLength: 32,
        salt: payload.subarray(0, 16),
        memoryCost: payload.readUInt32LE(16),
        timeCost: payload.readUInt32LE(20),
        parallelism: payload.readUInt32LE(24),
      });
      dataKey = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        null,
        payload.subarray(52, 100),
        null,
        payload.subarray(28, 52),
        wrapping,
      );
    }
    at += 3 + payload.length;
  }
  if (dataKey === undefined) throw new Error("no slot");
  const headerKey = sodium.crypto_kdf_derive_from_key(32, 0, "BKPTHEAD", dataKey);
  const mac = Buffer.from(sodium.crypto_generichash(32, bytes.subarray(0, at), headerKey));
  if (!mac.equals(bytes.subarray(at, at + 32))) throw new Error("mac");
  const context = ["", "BKPTARCH", "BKPTINDX", "BKPTMETA"][type] ?? "";
  const key = sodium.crypto_kdf_derive_from_key(32, number, context, dataKey);
  const chunks: Buffer[] = [];
  at += 32;
  while (at < bytes.length) {
    const end = at + 4 + bytes.readUInt32LE(at);
    const nonce = Buffer.alloc(24);
    nonce.writeBigUInt64LE(BigInt(chunks.length));
    nonce[8] = end === bytes.length ? 1 : 0;
    const frame = sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
      null,
      bytes.subarray(at + 4, end),
      null,
      nonce,
      key,
    );
    chunks.push(decompress(Buffer.from(frame)));
    at = end;
  }
  return chunks;
}

function sequence(bytes: Uint8Array): unknown[] {
  const items: unknown[] = [];
  for (let rest = bytes; rest.length > 0; ) {
    const [item, after] = decodeFirst(rest);
    items.push(item);
    rest = after;
  }
  return items;
}

async function untar(tar: Buffer): Promise<Map<string, Buffer>> {
  const entries = new Map<string, Buffer>();
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const parts: Buffer[] = [];
    for await (const part of entry) parts.push(part as Buffer);
    entries.set(entry.header.name, Buffer.concat(parts));
  }
  return entries;
}

function percent(bytes: Uint8Array): string {
  if (bytes.length === 0) return "-";
  return [...bytes]
    .map((byte) => {
      const c = String.fromCharCode(byte);
      const hex = byte.toString(16).toUpperCase().padStart(2, "0");
      return /[A-Za-z0-9\-_.~]/.test(c) ? c : `%${hex}`;
    })
    .join("");
}

test("a reader made from docs/format.md alone reads everything that was written", async (t) => {
  const folder = newFolder();
  await writeSample(folder, FULL_CONTENTS, { chunkBytes: 700, archiveBytes: 4000 });
  const file = (name: string) => readFileSync(join(folder, name));
  const metadata = decode(Buffer.concat(await unseal(file("METADATA.bin"), 3, 0))) as {
    chunkBytes: number;
    files: { name: string; sha256: string }[];
  };
  const manifest = JSON.parse(file("MANIFEST.json").toString()) as { files: unknown[] };
  t.deepEqual(manifest.files.slice(0, -1), metadata.files);

  const entries = new Map<string, Buffer>();
  const archives = readdirSync(folder).filter((name) => name.startsWith("ARCHIVE"));
  t.true(archives.length > 1);
  for (const [number, name] of archives.sort().entries()) {
    const chunks = await unseal(file(name), 1, number);
    for (const chunk of chunks.slice(0, -1)) t.is(chunk.length, metadata.chunkBytes);
    for (const [path, content] of await untar(Buffer.concat(chunks))) entries.set(path, content);
  }
  for (const o of FULL_CONTENTS.objects ?? []) {
    const located = o.locator.length > 0;
    const parts = [Buffer.from(o.pool), o.namespace, ...(located ? [o.locator] : []), o.name];
    const path = parts.map(percent).join("/");
    const suffix = located ? "-located" : "";
    t.deepEqual(entries.get(`ceph${suffix}/${path}`), Buffer.from(o.data), path);
    const attrs = entries.get(`ceph-attrs${suffix}/${path}.cbor`);
    if (o.xattrs === undefined && o.omap === undefined) {
      t.is(attrs, undefined);
      continue;
    }
    const [[xattrs, omapHeader, omap]] = sequence(attrs ?? Buffer.alloc(0)) as [unknown[]];
    t.deepEqual(plain(xattrs), plain(o.xattrs ?? []));
    t.deepEqual(plain(omapHeader), plain(o.omapHeader ?? Buffer.alloc(0)));
    t.deepEqual(plain(omap), plain(o.omap ?? []));
    for (const [i, page] of (o.omapPages ?? []).entries()) {
      const held = entries.get(`ceph-omap${suffix}/${path}/0000000${i + 1}.cbor`);
      t.deepEqual(plain(sequence(held ?? Buffer.alloc(0))[0]), plain(page));
    }
  }
  const records = ["00000000", "00000001"].flatMap((number) =>
    sequence(entries.get(`etcd/records/${number}.cbor`) ?? Buffer.alloc(0)),
  );
  t.deepEqual(
    records.map(plain),
    (FULL_CONTENTS.records ?? []).map((r) =>
      plain([r.key, r.value, r.createRevision, r.modRevision, r.version, r.lease]),
    ),
  );
  const leases = sequence(entries.get("etcd/leases/00000000.cbor") ?? Buffer.alloc(0));
  t.deepEqual(
    leases.map(plain),
    (FULL_CONTENTS.leases ?? []).map((l) => plain([l.id, l.grantedTtl])),
  );

  const index = sequence(Buffer.concat(await unseal(file("INDEX.bin"), 2, 0))) as unknown[][];
  const kinds = index.map(([tag]) => tag);
  const { objects = [], records: held = [] } = FULL_CONTENTS;
  t.is(kinds.filter((tag) => tag === 0).length, 1, "the backup itself");
  t.is(kinds.filter((tag) => tag === 1).length, 2, "pools");
  t.is(kinds.filter((tag) => tag === 2).length, objects.length);
  t.is(kinds.filter((tag) => tag === 3).length, held.length);
});

/** The same text for equal values: bytes in hex, numbers and bigints in decimal. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (Array.isArray(value)) return value.map(plain);
  return String(value);
}
