import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { runProcess } from "./support/program/processes.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface LockFile {
  readonly packages: Readonly<Record<string, { readonly hasInstallScript?: boolean }>>;
}

// Whoever adds one reads what it does, and says so in docs/dependencies.md.
test("only packages that docs/dependencies.md describes run a script at install", (t) => {
  const { packages }: LockFile = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8"));
  const running = Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript);
  t.deepEqual(
    running.map(([path]) => path),
    ["", "node_modules/argon2", "node_modules/protobufjs", "node_modules/zstd-napi"],
  );
});

test("the install script of zstd-napi downloads no binary", async (t) => {
  const { code, stderr } = await runProcess(
    process.execPath,
    [join(ROOT, "node_modules/prebuild-install/bin.js"), "-r", "napi", "--verbose"],
    // Nothing listens there.
    { cwd: join(ROOT, "node_modules/zstd-napi"), env: { https_proxy: "http://127.0.0.1:9" } },
  );
  t.is(code, 1);
  t.regex(stderr, /not attempting download/);
  t.notRegex(stderr, /http request/);
});
