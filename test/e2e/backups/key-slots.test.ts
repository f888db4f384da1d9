import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { FileType, METADATA_NAME } from "../../../src/archive/format.js";
import { decodeHeader, encodePassphraseSlot } from "../../../src/archive/header.js";
import { KDF_COSTS } from "../../../src/archive/crypto/passphrase-key.js";
import { Forger, joinSealed, splitSealed } from "../../support/archive/forge.js";
import { object, writeSample } from "../../support/archive/sample.js";
import { backuptool, lines, PASSPHRASE } from "../../support/program/backuptool.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

async function sample() {
  const folder = newFolder();
  const passphrase = new PassphraseKeys(Buffer.from(PASSPHRASE));
  const contents = { objects: [object("one", "data")] };
  const { keys, metadata } = await writeSample(folder, contents, { passphrase });
  const bytes = readFileSync(join(folder, METADATA_NAME));
  return { folder, keys, bytes, forger: new Forger(folder, keys, metadata) };
}

test("--kdf chooses the cost of a key, and moderate is the default", async (t) => {
  const etcd = await EtcdServer.start();
  t.teardown(() => etcd.stop());
  for (const [flags, cost] of [
    [[], KDF_COSTS.moderate],
    [["--kdf", "low-memory"], KDF_COSTS["low-memory"]],
    [["--kdf", "moderate"], KDF_COSTS.moderate],
    [["--kdf", "sensitive"], KDF_COSTS.sensitive],
  ] as const) {
    const folder = join(newFolder(), "backup");
    const create = ["create", "--skip-ceph", "--etcd", etcd.endpoint, "--outputdir", folder];
    const made = await backuptool([...create, ...flags], { env: { BACKUPTOOL_KDF: undefined } });
    t.is(made.code, 0, made.stderr);
    const header = decodeHeader(readFileSync(join(folder, METADATA_NAME)), METADATA_NAME);
    t.deepEqual(
      header.passphraseSlots.map((slot) => slot.cost),
      [cost],
    );
  }
});

test("the cost of a header is reported before it is spent, also with --quiet", async (t) => {
  const { folder, keys, bytes, forger } = await sample();
  const costly = encodePassphraseSlot({ ...keys.slot, cost: KDF_COSTS.sensitive });
  // The first slot opens, so nothing of it is spent here.
  const slots = [keys.slotBytes, costly, costly, costly];
  const header = forger.header(FileType.metadata, 0, undefined, slots);
  await forger.setMetadataFile(joinSealed({ header, chunks: splitSealed(bytes).chunks }));
  const said =
    "warning: METADATA.bin: its 4 key slots ask for up to 1.00 GiB of memory and 13 passes of Argon2id, more than --kdf sensitive";
  for (const flags of [[], ["--quiet"]]) {
    const { code, stderr } = await backuptool(["inspect", "--outputdir", folder, ...flags]);
    t.is(code, 0, stderr);
    t.true(stderr.split("\n").includes(said), stderr);
  }
  const { stdout } = await backuptool(["inspect", "--outputdir", folder, "--json"]);
  const events = lines(stdout).map((line): unknown => JSON.parse(line));
  t.deepEqual(
    events.filter((event) => (event as { type: string }).type === "key-slots"),
    [{ type: "key-slots", file: "METADATA.bin", slots: 4, memoryKiB: 1 << 20, passes: 13 }],
  );
});

test("a damaged key slot is damage, and a wrong passphrase is not", async (t) => {
  const { folder, bytes, forger } = await sample();
  const inspect = (passphrase = PASSPHRASE) =>
    backuptool(["inspect", "--outputdir", folder], {
      env: { BACKUPTOOL_PASSPHRASE: passphrase },
    });
  const wrong = await inspect("another passphrase");
  t.is(wrong.code, 10);
  t.regex(wrong.stderr, /no key slot opens with this passphrase/);
  bytes.writeUInt8(bytes.readUInt8(100) ^ 1, 100);
  await forger.setMetadataFile(bytes);
  const damaged = await inspect();
  t.is(damaged.code, 11);
  t.regex(
    damaged.stderr,
    /METADATA\.bin: its key slot 1 is not the one of INDEX\.bin, which opens with this passphrase/,
  );
  for (const name of ["INDEX.bin", "ARCHIVE00000.bin"]) rmSync(join(folder, name));
  const alone = await inspect();
  t.is(alone.code, 10);
  t.regex(alone.stderr, /if it is right, METADATA\.bin is damaged/);
});

test("Argon2id without enough memory says how much it needs", async (t) => {
  const program = fileURLToPath(
    new URL("../../support/archive/kdf-without-memory.js", import.meta.url),
  );
  const { stdout, stderr } = await runProcess(process.execPath, [program]);
  const { code, message } = JSON.parse(stdout.toString()) as { code?: string; message?: string };
  t.is(code, "NOT_ENOUGH_MEMORY", stderr);
  t.regex(message ?? "", /256 MiB/);
});
