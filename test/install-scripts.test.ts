import { chmod, cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { newFolder } from "./support/folders.js";
import { runProcess } from "./support/program/processes.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface LockFile {
  readonly packages: Readonly<
    Record<string, { readonly hasInstallScript?: boolean; readonly dev?: boolean }>
  >;
}

async function packagesWithScripts(): Promise<LockFile["packages"]> {
  const { packages }: LockFile = JSON.parse(
    await readFile(join(ROOT, "package-lock.json"), "utf8"),
  );
  return Object.fromEntries(
    Object.entries(packages).filter(([, { hasInstallScript }]) => hasInstallScript),
  );
}

// Read what a new one does, and describe it in docs/dependencies.md.
test("only packages that docs/dependencies.md describes run a script at install", async (t) => {
  t.deepEqual(Object.keys(await packagesWithScripts()), [
    "",
    "node_modules/argon2",
    "node_modules/protobufjs",
    "node_modules/zstd-napi",
  ]);
});

test("zstd-napi, which must be compiled, is not installed with the package", async (t) => {
  t.true((await packagesWithScripts())["node_modules/zstd-napi"]?.dev);
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

// The prebuilt files of argon2 0.45 need Node-API 10, and end a Node 20 with a segmentation fault.
test("the binary inside argon2 loads on this Node", async (t) => {
  const { code, stderr } = await runProcess(process.execPath, ["-e", 'require("argon2")'], {
    cwd: ROOT,
    env: { ...process.env, PREBUILDS_ONLY: "1" },
  });
  t.deepEqual([code, stderr], [0, ""]);
});

/** A folder with the install script, and with `tools` alone on the path: each prints nothing and ends with its code. */
async function installIn(
  folder: string,
  tools: Readonly<Record<string, number>>,
  ...flags: string[]
) {
  await mkdir(join(folder, "bin"));
  await cp(join(ROOT, "scripts/install-native.mjs"), join(folder, "scripts/install-native.mjs"));
  for (const [name, code] of Object.entries(tools)) {
    await writeFile(join(folder, "bin", name), `#!/bin/sh\nexit ${code}\n`);
    await chmod(join(folder, "bin", name), 0o755);
  }
  const script = join(folder, "scripts/install-native.mjs");
  return runProcess(process.execPath, [script, ...flags], { env: { PATH: join(folder, "bin") } });
}

test("an install without a compiler succeeds and names what is missing", async (t) => {
  const { code, stderr } = await installIn(newFolder(), {});
  t.is(code, 0);
  t.regex(stderr, /no g\+\+, make, python3/);
});

test("an install succeeds when the build of the addons fails", async (t) => {
  const tools = { "g++": 0, make: 0, python3: 0, "node-gyp": 1 };
  const { code, stderr } = await installIn(newFolder(), tools);
  t.is(code, 0);
  t.regex(stderr, /node-gyp failed/);
});

test("a required build that fails is an error", async (t) => {
  const tools = { "g++": 0, make: 0, python3: 0, "node-gyp": 1 };
  t.is((await installIn(newFolder(), tools, "--required")).code, 1);
});

test("the program loads prebuilt addons where none is compiled", async (t) => {
  const root = newFolder();
  for (const file of ["dist/src/native-addon.js", "dist/src/errors.js"]) {
    await cp(join(ROOT, file), join(root, "package", file));
  }
  await writeFile(join(root, "package/package.json"), '{"type": "module"}');
  await mkdir(join(root, "node_modules"));
  await symlink(
    join(ROOT, "node_modules/node-gyp-build"),
    join(root, "node_modules/node-gyp-build"),
  );
  const compiled = {
    zstd: "node_modules/zstd-napi/build/Release/binding.node",
    chunk_cipher: "build/Release/chunk_cipher.node",
  };
  for (const [name, file] of Object.entries(compiled)) {
    const folder = join(root, `package/addons/${name}/prebuilds/linux-${arch()}`);
    await cp(join(ROOT, file), join(folder, `${name}.glibc.node`));
  }
  const program = `
    import { loadAddon, loadZstd } from "./dist/src/native-addon.js";
    console.log(typeof loadZstd().CCtx, typeof loadAddon("chunk_cipher").seal);
    try { loadAddon("rados") } catch (error) { console.log(error.message.split(" for ")[0]) }
  `;
  const { stdout } = await runProcess(process.execPath, ["--input-type=module", "-e", program], {
    cwd: join(root, "package"),
  });
  t.is(stdout.toString(), "function function\nNo native build was found\n");
});
