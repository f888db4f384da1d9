import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { newFolder } from "../../support/folders.js";
import { BackupToolError } from "../../../src/errors.js";
import { restoreBackup } from "../../../src/operations/restore/restore.js";
import { EtcdServer } from "../../support/servers/etcd-server.js";

/** The compiled test is in dist/test/e2e. */
const ROOT = fileURLToPath(new URL("../../../../fixtures", import.meta.url));

let etcd: EtcdServer;

test.before(async () => {
  etcd = await EtcdServer.start();
});

test.after.always(() => etcd.stop());

/** Restores the etcd part of a backup, and reads the rest. */
async function restore(
  kind: string,
  name: string,
  checkFirst: boolean | undefined,
): Promise<BackupToolError | undefined> {
  const { passphrase } = expected(kind, name);
  try {
    await restoreBackup(
      {
        location: { kind: "folder", folder: join(ROOT, kind, name, "backup") },
        withBase: [],
        etcd: { endpoints: [etcd.endpoint] },
        pools: new Map(),
        leases: "drop",
        checkFirst,
        spoolDir: newFolder(),
      },
      {
        signal: new AbortController().signal,
        report: () => {},
        passphrase: async () => Buffer.from(String(passphrase)),
      },
    );
    return undefined;
  } catch (error) {
    if (!(error instanceof BackupToolError)) throw error;
    return error;
  }
}

function expected(kind: string, name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(ROOT, kind, name, "expected.json"), "utf8"));
}

for (const name of readdirSync(join(ROOT, "bad")).sort()) {
  const { code } = expected("bad", name);
  test.serial(`restore rejects bad/${name} as inspect does`, async (t) => {
    // The target is empty, so nothing is checked first: the restore itself finds the fault.
    await etcd.ctl("del", "", "--prefix");
    const error = await restore("bad", name, undefined);
    t.is<unknown, unknown>(error?.code, code);
  });
}

for (const name of readdirSync(join(ROOT, "good")).sort()) {
  test.serial(`restore accepts good/${name} as inspect does`, async (t) => {
    await etcd.ctl("del", "", "--prefix");
    t.is(await restore("good", name, undefined), undefined);
  });
}

test.serial(
  "a backup alone whose INDEX.bin is damaged can be restored without its index",
  async (t) => {
    await etcd.ctl("del", "", "--prefix");
    t.regex((await restore("bad", "index-bit", undefined))?.message ?? "", /^INDEX.bin chunk 0: /);
    await etcd.ctl("del", "", "--prefix");
    t.is(await restore("bad", "index-bit", false), undefined);
    t.is((await etcd.ctl("get", "key", "--print-value-only")).trim(), "value");
  },
);
