import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import { validate } from "dockerfile-utils";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const text = read("deploy/Containerfile");

test("a checker of container files finds no fault", (t) => {
  const messages = (content: string) => validate(content).map(({ message }) => message);
  t.deepEqual(messages(text), []);
  t.is(messages(text.replace("EXPOSE 8080", "EXPOSE web")).length, 1);
});

test("the image runs the program of the package as a user without rights", (t) => {
  const { bin, engines } = JSON.parse(read("package.json"));
  const [, entry = ""] = /^ENTRYPOINT \["(\S+)"\]$/m.exec(text) ?? [];
  t.true(Object.hasOwn(bin, entry));
  const [, major = ""] =
    /^ARG NODE=docker\.io\/library\/node:(\d+)-bookworm-slim$/m.exec(text) ?? [];
  t.true(Number(major) >= Number.parseInt(engines.node.replace(">=", ""), 10));
  const [, user = ""] = /^USER (\d+):\d+$/m.exec(text) ?? [];
  t.true(Number(user) > 0);
  // The same as in the manifests of Kubernetes.
  t.true(read("deploy/kubernetes/deployment.yaml").includes(`runAsUser: ${user}\n`));
  t.true(read("deploy/kubernetes/cronjob.yaml").includes(`runAsUser: ${user}\n`));
});

test("nothing that an earlier build left reaches the image", (t) => {
  const ignored = read(".containerignore").trim().split("\n");
  for (const name of read(".gitignore").trim().split("\n")) {
    if (name === "*.log" || name === "/backup.dir/") continue;
    t.true(ignored.includes(name.replace(/\/$/, "")), name);
  }
});
