import { setTimeout as sleep } from "node:timers/promises";
import test from "ava";
import { BackupKeys } from "../../src/archive/crypto/backup-keys.js";
import type { BackupTarget, SealedOutput } from "../../src/archive/backup-target.js";
import { BackupWriter } from "../../src/archive/backup-writer.js";
import { FolderTarget } from "../../src/archive/folder-target.js";
import { SealPool } from "../../src/archive/seal/seal-pool.js";
import { NO_COUNTS } from "../../src/archive/metadata.js";
import { CHEAP_KDF, object, samplePassphrase } from "../support/archive/sample.js";
import { newFolder } from "../support/folders.js";

let sealPool: SealPool;
test.before(() => {
  sealPool = new SealPool(1);
});
test.after.always(() => sealPool.close());

/** A folder target whose calls `change` replaces. */
class ChangedFolder implements BackupTarget {
  readonly #folder = new FolderTarget(newFolder());
  readonly #change: (file: SealedOutput, name: string) => Promise<SealedOutput>;

  constructor(change: (file: SealedOutput, name: string) => Promise<SealedOutput>) {
    this.#change = change;
  }

  async open(name: string): Promise<SealedOutput> {
    return this.#change(await this.#folder.open(name), name);
  }

  finish(manifest: string): Promise<void> {
    return this.#folder.finish(manifest);
  }

  close(): Promise<void> {
    return this.#folder.close();
  }
}

async function writerTo(target: BackupTarget, archiveBytes: number): Promise<BackupWriter> {
  const keys = await BackupKeys.create(samplePassphrase().forNew, CHEAP_KDF);
  const settings = { keys, sealPool, compressionLevel: 1, archiveBytes, chunkBytes: 4096 };
  const writer = new BackupWriter({ target, ...settings });
  await writer.start([]);
  return writer;
}

test("additions to the index do not wait for the next ARCHIVE file", async (t) => {
  let reached = false;
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const target = new ChangedFolder(async (file, name) => {
    if (name !== "ARCHIVE00001.bin") return file;
    reached = true;
    await gate;
    return file;
  });
  const writer = await writerTo(target, 1000);
  t.teardown(() => writer.close());
  const one = object("o", Buffer.alloc(2000));
  const write = () => {
    writer.beginData(one, 2000, one.mtime);
    writer.copiedData(one.data);
    writer.endData();
  };
  t.is((await writer.place(2000)).file, 0);
  write();
  const second = writer.place(2000);
  while (!reached) {
    await writer.ready();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await writer.ready();
  open();
  t.is((await second).file, 1);
  write();
  await writer.ready();
});

test("a failed write of a chunk fails the file, even when a later write succeeds", async (t) => {
  const target = new ChangedFolder(async (file, name) => {
    if (name !== "ARCHIVE00000.bin") return file;
    let appends = 0;
    return {
      append: async (memory, from, length) => {
        await file.append(memory, from, length);
        // The header is the first.
        if (appends++ !== 1) return;
        await sleep(100);
        throw new Error("no space left");
      },
      finish: () => file.finish(),
      abandon: () => file.abandon(),
    };
  });
  const writer = await writerTo(target, 1 << 30);
  t.teardown(() => writer.close());
  await writer.place(20_000);
  const one = object("o", Buffer.alloc(20_000));
  writer.beginData(one, 20_000, one.mtime);
  writer.copiedData(one.data);
  writer.endData();
  const counts = { ...NO_COUNTS, objects: 1, objectBytes: 20_000 };
  const facts = {
    kind: "full" as const,
    base: null,
    startedAt: "",
    finishedAt: "",
    toolVersion: "",
    ceph: null,
    etcd: null,
    counts,
  };
  await t.throwsAsync(writer.finish(facts), { message: "no space left" });
});
