import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "ava";
import { UsageError } from "../../../src/errors.js";
import {
  environmentText,
  type MemberStart,
  writeEnvironmentFile,
} from "../../../src/operations/members/environment-file.js";
import { joiningStart } from "../../../src/operations/members/first-start.js";
import { newFolder } from "../../support/folders.js";
import { runProcess } from "../../support/program/processes.js";

const START: MemberStart = {
  name: "m-2.example",
  dataDir: "/var/lib/etcd/default folder",
  peerUrls: ["http://10.0.0.2:2380", "https://[::1]:2380"],
  initialCluster: new Map([
    ["m1", ["http://10.0.0.1:2380"]],
    ["m-2.example", ["http://10.0.0.2:2380", "https://[::1]:2380"]],
  ]),
};

test("a shell reads the variables as they were written", async (t) => {
  const path = join(newFolder(), "etcd.env");
  await writeEnvironmentFile(path, "old");
  await writeEnvironmentFile(path, environmentText(START));
  const { stdout } = await runProcess("sh", ["-c", `set -a; . ${path}; env`]);
  const read = stdout
    .toString()
    .split("\n")
    .filter((line) => line.startsWith("ETCD_"))
    .sort();
  t.deepEqual(
    read.filter((line) => !line.startsWith("ETCD_ENDPOINT")),
    [
      "ETCD_DATA_DIR=/var/lib/etcd/default folder",
      "ETCD_INITIAL_ADVERTISE_PEER_URLS=http://10.0.0.2:2380,https://[::1]:2380",
      "ETCD_INITIAL_CLUSTER=m1=http://10.0.0.1:2380,m-2.example=http://10.0.0.2:2380,m-2.example=https://[::1]:2380",
      "ETCD_INITIAL_CLUSTER_STATE=existing",
      "ETCD_NAME=m-2.example",
    ],
  );
  t.is(statSync(path).mode & 0o777, 0o644);
});

test("values that a shell and systemd read differently are rejected", (t) => {
  for (const dataDir of ['/a"b', "/a$b", "/a`b", "/a\nETCD_NAME=x", "/a\\b"]) {
    t.throws(() => environmentText({ ...START, dataDir }), { instanceOf: UsageError }, dataDir);
  }
});

test("a file that cannot be written is an error, and leaves nothing", async (t) => {
  const folder = newFolder();
  const error = await t.throwsAsync(writeEnvironmentFile(join(folder, "no", "file"), "x"), {
    instanceOf: UsageError,
  });
  t.regex(error?.message ?? "", /cannot write/);
  t.deepEqual(readdirSync(folder), []);
});

test("a member that joins names every member once, itself by its own name, others as they can be written", (t) => {
  const member = { clientUrls: [], isLearner: false };
  const start = joiningStart({ name: "m2", peerUrls: ["http://b:1"], dataDir: "/data" }, [
    { ...member, id: 1n, name: "m1", peerUrls: ["http://a:1", "http://a:2"] },
    { ...member, id: 2n, name: "", peerUrls: ["http://b:1"] },
    { ...member, id: 3n, name: "m2", peerUrls: ["http://c:1"] },
    { ...member, id: 4n, name: "m1", peerUrls: ["http://d:1"] },
    { ...member, id: 0xabcn, name: 'x",y=\n', peerUrls: ["http://e:1"] },
  ]);
  t.deepEqual(
    [...start.initialCluster],
    [
      ["m1", ["http://a:1", "http://a:2"]],
      ["m2", ["http://b:1"]],
      ["3", ["http://c:1"]],
      ["4", ["http://d:1"]],
      ["abc", ["http://e:1"]],
    ],
  );
  t.throws(
    () =>
      joiningStart({ name: "m2", peerUrls: ["http://b:1"], dataDir: "/data" }, [
        { ...member, id: 1n, name: "m1", peerUrls: ["http://a:1$(reboot)"] },
      ]),
    { instanceOf: UsageError },
  );
});
