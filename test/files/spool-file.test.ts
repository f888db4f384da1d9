import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import fc from "fast-check";
import { BackupToolError } from "../../src/errors.js";
import { SpoolFile } from "../../src/files/spool-file.js";
import { newFolder } from "../support/folders.js";

const MIB = 1 << 20;

async function readAt(file: SpoolFile, position: number, length: number): Promise<Buffer> {
  const target = Buffer.alloc(length);
  return target.subarray(0, await file.read(target, position));
}

/** What the disk holds of the open files without a name in a folder. */
function storedIn(folder: string): Buffer {
  const links = readdirSync("/proc/self/fd").flatMap((fd) => {
    const path = join("/proc/self/fd", fd);
    try {
      return readlinkSync(path).startsWith(folder) ? [path] : [];
    } catch {
      return [];
    }
  });
  return Buffer.concat(links.map((path) => readFileSync(path)));
}

test("what was written is read back from any position", async (t) => {
  const file = await SpoolFile.create(newFolder(), "spool-dir");
  t.teardown(() => file.close());
  const written: Buffer[] = [];
  for (const length of [1, 15, 16, 17, 0, 100_000, 3, 4096]) {
    const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 31 + length) % 256));
    written.push(bytes);
    await file.write(bytes);
  }
  const whole = Buffer.concat(written);
  t.is(file.size, whole.length);
  t.deepEqual(await readAt(file, 0, whole.length), whole);
  await fc.assert(
    fc.asyncProperty(
      fc.nat({ max: whole.length + 20 }),
      fc.nat({ max: 9000 }),
      async (position, length) => {
        const expected = whole.subarray(position, position + length);
        t.true((await readAt(file, position, length)).equals(expected));
      },
    ),
  );
});

test("the disk holds no byte as it was written, and no name", async (t) => {
  const folder = newFolder();
  const file = await SpoolFile.create(folder, "spool-dir");
  const secret = Buffer.from("a secret of Kubernetes ".repeat(50));
  await file.write(secret);
  t.deepEqual(readdirSync(folder), []);
  const first = storedIn(folder);
  t.is(first.length, secret.length);
  t.false(first.includes("secret"));
  // The same bytes once more, under another key.
  await file.restart(secret.length);
  t.is(file.size, 0);
  await file.write(secret);
  const second = storedIn(folder);
  t.is(second.length, secret.length);
  t.false(second.includes("secret"));
  t.notDeepEqual(second, first);
  t.deepEqual(await readAt(file, 0, secret.length), secret);
  await file.close();
  t.is(storedIn(folder).length, 0);
});

test("a restart forgets what was written before", async (t) => {
  const file = await SpoolFile.create(newFolder(), "spool-dir");
  t.teardown(() => file.close());
  await file.write(Buffer.alloc(MIB, 1));
  await file.restart(5);
  await file.write(Buffer.from("later"));
  t.is((await readAt(file, 0, 100)).toString(), "later");
  t.is((await readAt(file, 5, 100)).length, 0);
});

test("a folder that is missing or too small is named with its setting", async (t) => {
  const missing = join(newFolder(), "missing");
  const error = await t.throwsAsync(SpoolFile.create(missing, "spool-dir"), {
    instanceOf: BackupToolError,
    message: /^cannot write into ".*missing": ENOENT/,
  });
  t.is(error?.code, "SPOOL");
  t.deepEqual(error?.advice[0]?.settings, ["spool-dir"]);
  const file = await SpoolFile.create(newFolder(), "spool-dir");
  t.teardown(() => file.close());
  const full = await t.throwsAsync(file.restart(2 ** 62), { instanceOf: BackupToolError });
  t.is(full?.code, "SPOOL");
  t.regex(full?.message ?? "", /free, and 4096 PiB are needed$/);
});
