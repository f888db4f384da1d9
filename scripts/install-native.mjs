// Builds the librados binding and the fast chunk cipher where librados is, and says so where it is not: everything
// but Ceph works without them. With --required their absence is an error.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const PACKAGES = "librados-dev libradospp-dev g++ make python3";
const required = process.argv.includes("--required");

const lacking = ["g++", "make", "python3"].filter((tool) => spawnSync(tool, ["--version"]).error);
if (!existsSync("/usr/include/rados/librados.hpp")) lacking.push("rados/librados.hpp");
if (lacking.length > 0) {
  console.error(
    `backuptool: without the librados binding (no ${lacking.join(", ")}): use --skip-ceph, or ` +
      `apt-get install ${PACKAGES} && npm rebuild backuptool`,
  );
  process.exit(required ? 1 : 0);
}

// The headers that came with this node, so that nothing need be downloaded.
const prefix = dirname(dirname(process.execPath));
const headers = existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
// npm puts its own node-gyp on the path of scripts.
const { status, error } = spawnSync("node-gyp", ["rebuild", "--silent", ...headers], {
  stdio: ["ignore", "inherit", "inherit"],
});
if (error) throw error;
process.exit(status ?? 1);
