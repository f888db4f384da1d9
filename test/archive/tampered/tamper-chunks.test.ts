import test, { type ExecutionContext } from "ava";
import { joinSealed, splitSealed } from "../../support/archive/forge.js";
import { noise } from "../../support/archive/full-sample.js";
import { object, record, samplePassphrase } from "../../support/archive/sample.js";
import { TamperedBackup } from "../../support/archive/tamper.js";

const FIRST = "ARCHIVE00000.bin";
const SECOND = "ARCHIVE00001.bin";

/**
 * Chunks of 512 bytes that do not compress are all of one length, so that moving them changes no
 * length that a reader could go by.
 */
function make(t: ExecutionContext, passphrase = samplePassphrase()): Promise<TamperedBackup> {
  const contents = {
    objects: [object("one", noise("one", 4096)), object("two", noise("two", 4096))],
    records: [record("a", noise("a", 300).toString("latin1"))],
  };
  return TamperedBackup.make(t, contents, { passphrase, chunkBytes: 512, archiveBytes: 5000 });
}

function chunksOf(backup: TamperedBackup, name: string) {
  const { header, chunks } = splitSealed(backup.bytesOf(name));
  const full = chunks.map((chunk) => chunk.length).filter((length) => length > 512);
  return { header, chunks, full: full.length };
}

test("any two swapped chunks are found", async (t) => {
  const backup = await make(t);
  const { header, chunks } = chunksOf(backup, FIRST);
  for (let i = 0; i < chunks.length; i++) {
    for (let j = i + 1; j < chunks.length; j++) {
      const swapped = [...chunks];
      swapped[i] = chunks[j] as Buffer;
      swapped[j] = chunks[i] as Buffer;
      const changed = joinSealed({ header, chunks: swapped });
      const what = `chunks ${i} and ${j}`;
      const { error } = await backup.refuses(t, { [FIRST]: changed }, ["DAMAGED"], what);
      t.is(error?.chunk, i, what);
    }
  }
});

test("a chunk in the place of another is found, and the error names the place", async (t) => {
  const backup = await make(t);
  const { header, chunks } = chunksOf(backup, FIRST);
  let ofOneLength = 0;
  for (const [i, one] of chunks.entries()) {
    for (const [j, other] of chunks.entries()) {
      if (i === j || one.length !== other.length) continue;
      ofOneLength++;
      const changed = joinSealed({ header, chunks: chunks.with(i, other) });
      const { error } = await backup.refuses(t, { [FIRST]: changed }, ["DAMAGED"], `${j} at ${i}`);
      t.is(error?.chunk, i);
      t.is(error?.file, FIRST);
    }
  }
  t.true(ofOneLength > 20, "the file must not give its chunks away by their lengths");
});

test("a removed or repeated chunk is found", async (t) => {
  const backup = await make(t);
  for (const name of [FIRST, SECOND, "INDEX.bin", "METADATA.bin"]) {
    const { header, chunks } = chunksOf(backup, name);
    for (const [i, chunk] of chunks.entries()) {
      const without = joinSealed({ header, chunks: chunks.toSpliced(i, 1) });
      await backup.refuses(t, { [name]: without }, ["DAMAGED"], `${name} without ${i}`);
      const twice = joinSealed({ header, chunks: chunks.toSpliced(i, 0, chunk) });
      await backup.refuses(t, { [name]: twice }, ["DAMAGED"], `${name} with ${i} twice`);
    }
    // The same length as before: one chunk is replaced by the one before it.
    for (let i = 1; i < chunks.length; i++) {
      const changed = joinSealed({ header, chunks: chunks.with(i, chunks[i - 1] as Buffer) });
      await backup.refuses(t, { [name]: changed }, ["DAMAGED"], `${name} ${i - 1} for ${i}`);
    }
  }
  t.pass();
});

test("reversed or rotated chunks are found", async (t) => {
  const backup = await make(t);
  const { header, chunks } = chunksOf(backup, FIRST);
  const reversed = joinSealed({ header, chunks: chunks.toReversed() });
  await backup.refuses(t, { [FIRST]: reversed }, ["DAMAGED"], "reversed");
  for (let by = 1; by < chunks.length; by++) {
    const moved = joinSealed({ header, chunks: [...chunks.slice(by), ...chunks.slice(0, by)] });
    const { lines } = await backup.refuses(t, { [FIRST]: moved }, ["DAMAGED"], `by ${by}`);
    t.false(lines.some((line) => line.startsWith("data ")));
  }
});

test("a chunk of another file of the backup is found in the same place", async (t) => {
  const backup = await make(t);
  const { header, chunks } = chunksOf(backup, FIRST);
  const others = chunksOf(backup, SECOND).chunks;
  let ofOneLength = 0;
  for (const [i, chunk] of chunks.entries()) {
    const other = others[i];
    if (other === undefined || other.length !== chunk.length) continue;
    ofOneLength++;
    const changed = joinSealed({ header, chunks: chunks.with(i, other) });
    const { error } = await backup.refuses(t, { [FIRST]: changed }, ["DAMAGED"], `chunk ${i}`);
    t.is(error?.chunk, i);
  }
  t.true(ofOneLength > 2);
});

test("a chunk of another backup with the same passphrase is found in the same place", async (t) => {
  const passphrase = samplePassphrase();
  const backup = await make(t, passphrase);
  const twin = await make(t, passphrase);
  const { header, chunks } = chunksOf(backup, FIRST);
  for (const [i, other] of chunksOf(twin, FIRST).chunks.entries()) {
    t.is(chunks[i]?.length, other.length, "the two hold the same");
    const changed = joinSealed({ header, chunks: chunks.with(i, other) });
    const { error } = await backup.refuses(t, { [FIRST]: changed }, ["DAMAGED"], `chunk ${i}`);
    t.is(error?.chunk, i);
  }
});

test("a wrong chunk length is found", async (t) => {
  const backup = await make(t);
  const bytes = backup.bytesOf(FIRST);
  const { header } = splitSealed(bytes);
  for (const length of [0, 1, 15, 16, 17, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff]) {
    const changed = Buffer.from(bytes);
    changed.writeUInt32LE(length, header.length);
    const { error } = await backup.refuses(t, { [FIRST]: changed }, ["DAMAGED"], `${length}`);
    t.is(error?.chunk, 0);
  }
});
