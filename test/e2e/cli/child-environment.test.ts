import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { backuptool, PASSPHRASE } from "../../support/program/backuptool.js";
import { newFolder } from "../../support/folders.js";

test("a passphrase command gets the token of its tool, and no secret of this program or of another store", async (t) => {
  const folder = newFolder();
  const out = join(folder, "environment");
  await backuptool(
    ["inspect", "--outputdir", folder, "--passphrase-command", `env >${out}; echo '${PASSPHRASE}'`],
    {
      env: {
        BACKUPTOOL_NEW_PASSPHRASE: "new-passphrase",
        BACKUPTOOL_ETCD_PASSWORD: "etcd-password",
        SECONDARY_AWS_SECRET_ACCESS_KEY: "secondary-key",
        SOURCE_AWS_SECRET_ACCESS_KEY: "source-key",
        VAULT_TOKEN: "vault-token",
        AWS_SECRET_ACCESS_KEY: "secrets-manager-key",
      },
    },
  );
  const seen = readFileSync(out, "utf8");
  t.regex(seen, /VAULT_TOKEN=vault-token/);
  t.regex(seen, /AWS_SECRET_ACCESS_KEY=secrets-manager-key/);
  t.regex(seen, /^PATH=/m);
  for (const secret of [
    PASSPHRASE,
    "new-passphrase",
    "etcd-password",
    "secondary-key",
    "source-key",
  ]) {
    t.false(seen.includes(secret), secret);
  }
});
