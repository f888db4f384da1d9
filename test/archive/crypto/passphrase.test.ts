import test from "ava";
import { BackupKeys, PassphraseKeys } from "../../../src/archive/crypto/backup-keys.js";
import { ArchiveError } from "../../../src/archive/errors.js";
import { FileType } from "../../../src/archive/format.js";
import {
  decodeHeader,
  encodeHeader,
  encodePassphraseSlot,
  type PassphraseSlot,
} from "../../../src/archive/header.js";
import {
  checkKdfCost,
  checkKdfCosts,
  derivePassphraseKey,
  KDF_CEILING,
  KDF_COSTS,
  type KdfCost,
  type KdfDemand,
} from "../../../src/archive/crypto/passphrase-key.js";
import { CHEAP_KDF, samplePassphrase } from "../../support/archive/sample.js";

function headerWith(slots: readonly PassphraseSlot[]) {
  const unsigned = encodeHeader({
    type: FileType.metadata,
    number: 0,
    backupId: Buffer.alloc(16, 5),
    chunkBytes: 1024,
    slots: slots.map(encodePassphraseSlot),
  });
  return decodeHeader(Buffer.concat([unsigned, Buffer.alloc(32)]), "METADATA.bin");
}

function slotOf(cost: KdfCost): PassphraseSlot {
  return {
    salt: Buffer.alloc(16),
    cost,
    nonce: Buffer.alloc(24),
    sealedKey: Buffer.alloc(48),
  };
}

test("absurd costs are rejected in any slot", async (t) => {
  const good = (await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF)).slot;
  const absurd: KdfCost[] = [
    { ...CHEAP_KDF, memoryKiB: KDF_CEILING.memoryKiB + 1 },
    { ...CHEAP_KDF, memoryKiB: 0xffffffff },
    { ...CHEAP_KDF, memoryKiB: 7 },
    { ...CHEAP_KDF, memoryKiB: 0 },
    { ...CHEAP_KDF, passes: KDF_CEILING.passes + 1 },
    { ...CHEAP_KDF, passes: 0xffffffff },
    { ...CHEAP_KDF, passes: 0 },
    { memoryKiB: 1024, passes: 1, lanes: KDF_CEILING.lanes + 1 },
    { memoryKiB: 8, passes: 1, lanes: 2 },
    { memoryKiB: 0xffffffff, passes: 1, lanes: 0xffffff },
    { ...CHEAP_KDF, lanes: 0 },
  ];
  for (const cost of absurd) {
    const slots = [slotOf(cost), good];
    for (const header of [headerWith(slots), headerWith(slots.toReversed())]) {
      const opening = BackupKeys.open(samplePassphrase(), header, "METADATA.bin");
      const error = await t.throwsAsync(opening, { instanceOf: ArchiveError });
      t.is(error?.code, "DAMAGED", JSON.stringify(cost));
    }
  }
});

test("slots that together cost more than one slot may are rejected before any is tried", async (t) => {
  const half = { ...KDF_CEILING, passes: KDF_CEILING.passes / 2 };
  const good = (await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF)).slot;
  // A slot that opens comes first: it would be found without trying the others.
  const header = headerWith([good, slotOf(half), slotOf(half)]);
  const opening = BackupKeys.open(samplePassphrase(), header, "METADATA.bin");
  const error = await t.throwsAsync(opening, { instanceOf: ArchiveError });
  t.is(error?.code, "DAMAGED");
  t.regex(error?.message ?? "", /3 key slots together/);
  t.is(checkKdfCosts([half, half], "f"), 1);
  const four = [1, 2, 3, 4].map(() => KDF_COSTS.sensitive);
  t.is(checkKdfCosts(four, "f"), 1);
  // How many forms are tried on the slots: a header costs no more with several forms of a passphrase.
  t.is(checkKdfCosts(four.slice(2), "f"), 2);
});

test("headers that are not authentic share one limit, whatever their salts are", async (t) => {
  const passphrase = samplePassphrase();
  const most = KDF_CEILING;
  // The cost of a first header counts, though it is low.
  await t.throwsAsync(BackupKeys.open(passphrase, headerWith([slotOf(CHEAP_KDF)]), "f"), {
    code: "WRONG_PASSPHRASE",
  });
  const ofTheSecond = t.throws(() => passphrase.checkDemand([most], "f"), { code: "DAMAGED" });
  t.regex(ofTheSecond?.message ?? "", /after 8 already spent/);
  // The same salt and cost are derived once.
  await t.throwsAsync(BackupKeys.open(passphrase, headerWith([slotOf(CHEAP_KDF)]), "f"));
  t.regex(
    t.throws(() => passphrase.checkDemand([most], "f"))?.message ?? "",
    /after 8 already spent/,
  );
  passphrase.proveDemand();
  t.notThrows(() => passphrase.checkDemand([most], "f"));
});

test("a header that costs more than create offers is reported before the cost is spent", async (t) => {
  const reported: KdfDemand[] = [];
  const keys = new PassphraseKeys(Buffer.from("p"), (demand) => reported.push(demand));
  for (const costs of [
    [CHEAP_KDF],
    [KDF_COSTS.moderate],
    [KDF_COSTS.sensitive],
    [1, 2, 3, 4].map(() => KDF_COSTS.moderate),
  ]) {
    keys.checkDemand(costs, "METADATA.bin");
    t.deepEqual(reported, []);
  }
  const { sensitive } = KDF_COSTS;
  keys.checkDemand([{ ...sensitive, memoryKiB: sensitive.memoryKiB + 1, passes: 1 }], "f");
  keys.checkDemand([{ ...sensitive, passes: 5 }], "f");
  keys.checkDemand([sensitive, KDF_COSTS.moderate], "METADATA.bin");
  t.deepEqual(reported, [
    { file: "f", slots: 1, memoryKiB: sensitive.memoryKiB + 1, passes: 1 },
    { file: "f", slots: 1, memoryKiB: sensitive.memoryKiB, passes: 5 },
    { file: "METADATA.bin", slots: 2, memoryKiB: sensitive.memoryKiB, passes: 7 },
  ]);
  // Rejected costs are not reported: they are not spent.
  t.throws(() => keys.checkDemand([{ ...KDF_CEILING, passes: 9 }], "f"));
  t.is(reported.length, 3);
});

test("a reader accepts the costs of create and the ceiling", (t) => {
  for (const cost of [...Object.values(KDF_COSTS), KDF_CEILING, CHEAP_KDF]) {
    t.notThrows(() => checkKdfCost(cost, "f"));
  }
});

test("Argon2id gives the key of the reference program", async (t) => {
  // printf password | argon2 somesalt -id -t 2 -m 8 -p 1 -l 32 -r
  const key = await derivePassphraseKey(Buffer.from("password"), Buffer.from("somesalt"), {
    memoryKiB: 256,
    passes: 2,
    lanes: 1,
  });
  t.is(
    Buffer.from(key).toString("hex"),
    "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
  );
});

test("a passphrase opens its own slot among those of others", async (t) => {
  const keys = await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF);
  const others = [await BackupKeys.create(samplePassphrase("other").forNew, CHEAP_KDF)];
  const header = headerWith([...others.map(({ slot }) => slot), keys.slot]);
  const opened = await BackupKeys.open(samplePassphrase(), header, "f");
  for (const type of Object.values(FileType)) {
    t.deepEqual(opened.fileKey(type, 3), keys.fileKey(type, 3));
  }
  const error = await t.throwsAsync(BackupKeys.open(samplePassphrase("third"), header, "f"), {
    instanceOf: ArchiveError,
  });
  t.is(error?.code, "WRONG_PASSPHRASE");
});

test("a reader spends no more than four derivations on a header, and rejects one without slots", async (t) => {
  const keys = await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF);
  const four = [1, 2, 3, 4].map((salt) => ({ ...slotOf(CHEAP_KDF), salt: Buffer.alloc(16, salt) }));
  for (const header of [headerWith([...four, keys.slot]), headerWith([])]) {
    const error = await t.throwsAsync(BackupKeys.open(samplePassphrase(), header, "f"), {
      instanceOf: ArchiveError,
    });
    t.is(error?.code, "WRONG_PASSPHRASE");
  }
});

test("no two files have the same key, nor do two backups with one passphrase and salt", async (t) => {
  const passphrase = new PassphraseKeys(Buffer.from("p"));
  const first = await BackupKeys.create(passphrase.forNew, CHEAP_KDF);
  const second = await BackupKeys.create(passphrase.forNew, CHEAP_KDF, first.slot);
  t.deepEqual(Buffer.from(second.slot.salt), Buffer.from(first.slot.salt));
  const seen = new Set<string>();
  for (const keys of [first, second]) {
    for (const type of Object.values(FileType)) {
      for (const number of [0, 1, 2, 99_999]) {
        seen.add(Buffer.from(keys.fileKey(type, number)).toString("hex"));
      }
    }
  }
  t.is(seen.size, 2 * Object.values(FileType).length * 4);
});
