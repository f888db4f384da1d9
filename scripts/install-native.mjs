// Compiles the native addons of binding.gyp where no prebuilt ones fit this machine: the librados binding only where
// librados' headers are. Never fails an install: everything but Ceph works without them. With --required it always
// compiles, and a failure is an error.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const PACKAGES = "librados-dev libradospp-dev g++ make python3";
const required = process.argv.includes("--required");
const require = createRequire(import.meta.url);

function fits(name) {
  const folder = fileURLToPath(new URL(`../addons/${name}`, import.meta.url));
  try {
    require(require("node-gyp-build").resolve(folder));
    return true;
  } catch (error) {
    // The binding is right for this machine as soon as librados2 is installed.
    return String(error).includes("librados.so.2");
  }
}

function end(problem) {
  const remedy = `use --skip-ceph, or apt-get install ${PACKAGES} && npm rebuild backuptool`;
  console.error(`backuptool: without the librados binding (${problem}): ${remedy}`);
  process.exit(required ? 1 : 0);
}

// A clone has tsconfig.json, which is not packed: there, addons/ may be older than native/.
const isClone = existsSync(new URL("../tsconfig.json", import.meta.url));
if (!required && !isClone && ["chunk_cipher", "process_end", "rados"].every(fits)) process.exit(0);

const tools = ["g++", "make", "python3"].filter((tool) => spawnSync(tool, ["--version"]).error);
const librados = existsSync("/usr/include/rados/librados.hpp");
const missing = librados ? tools : [...tools, "rados/librados.hpp"];
if (tools.length > 0 || (required && !librados)) end(`no ${missing.join(", ")}`);

// The headers that came with this Node, so that node-gyp need not download them.
const prefix = dirname(dirname(process.execPath));
const headers = existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
const rados = ["--", `-Dwith_rados=${librados ? 1 : 0}`];
// npm puts its own node-gyp on the path of scripts.
const { status, error } = spawnSync("node-gyp", ["rebuild", "--silent", ...headers, ...rados], {
  stdio: ["ignore", "inherit", "inherit"],
});
if (error || status !== 0) end(error ? error.message : `node-gyp failed: ${status}`);
if (!librados) end(`no ${missing.join(", ")}`);
