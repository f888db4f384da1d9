// Builds the native addons, the librados binding only where librados is, and says what is lacking: everything but Ceph
// works without them. With --required their absence is an error.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const PACKAGES = "librados-dev libradospp-dev g++ make python3";
const required = process.argv.includes("--required");

const tools = ["g++", "make", "python3"].filter((tool) => spawnSync(tool, ["--version"]).error);
const librados = existsSync("/usr/include/rados/librados.hpp");
const lacking = librados ? tools : [...tools, "rados/librados.hpp"];
if (lacking.length > 0) {
  console.error(
    `backuptool: without the librados binding (no ${lacking.join(", ")}): use --skip-ceph, or ` +
      `apt-get install ${PACKAGES} && npm rebuild backuptool`,
  );
  if (required) process.exit(1);
  if (tools.length > 0) process.exit(0);
}

// The headers that came with this node, so that nothing need be downloaded.
const prefix = dirname(dirname(process.execPath));
const headers = existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
// npm puts its own node-gyp on the path of scripts.
const rados = ["--", `-Dwith_rados=${librados ? 1 : 0}`];
const { status, error } = spawnSync("node-gyp", ["rebuild", "--silent", ...headers, ...rados], {
  stdio: ["ignore", "inherit", "inherit"],
});
if (error) throw error;
process.exit(status ?? 1);
