import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import test from "ava";
import type { IContainer } from "kubernetes-models/v1/Container";
import type { IPodSpec } from "kubernetes-models/v1/PodSpec";
import { parseAllDocuments } from "yaml";
import { parseArguments } from "../../src/cli/arguments.js";
import { findCommand } from "../../src/cli/commands.js";
import { valuesOf } from "../../src/settings/kinds.js";
import type { Environment } from "../../src/snapstore/settings/roles.js";
import { storeConfig } from "../../src/snapstore/settings/store-settings.js";
import { dropInsOf, environmentOf, valuesInUnit } from "../support/deploy-units.js";
import { newFolder } from "../support/folders.js";

const DEPLOY = fileURLToPath(new URL("../../../deploy/", import.meta.url));
const UNITS = join(DEPLOY, "systemd");

/** The texts of the settings of a command line, each of which the command knows and takes. */
async function settingsOf(words: readonly string[], env: Environment) {
  const command = await findCommand(words);
  if (command === undefined) throw new Error(`there is no command ${words.join(" ")}`);
  const given = words.slice(command.name.split(" ").length);
  const { settings } = await parseArguments(given, command, env);
  // Throws for a value that cannot be.
  valuesOf(command.flags, settings);
  const texts = settings.map(({ name, value }) => [
    name,
    typeof value === "string" ? value : undefined,
  ]);
  return { command: command.name, texts: Object.fromEntries(texts) };
}

test("the command lines of the units, with the configuration beside them, are understood", async (t) => {
  let checked = 0;
  for (const name of readdirSync(UNITS).filter((name) => name.endsWith(".service"))) {
    if (name.startsWith("backuptool-etcd-")) continue;
    const text = readFileSync(join(UNITS, name), "utf8");
    for (const [, line = ""] of text.matchAll(/^ExecStart=(?:flock \S+ )?backuptool (.*)$/gm)) {
      const words = line
        .replaceAll("%%", "%")
        .replace("/etc/backuptool/backuptool.yaml", join(DEPLOY, "backuptool.yaml"))
        .split(" ");
      const { texts } = await settingsOf(words, {});
      const [role, place] =
        texts["from"] === "secondary"
          ? ["secondary-store", "azblob://secondary-backups/cluster-1"]
          : ["store", "s3://primary-backups/cluster-1"];
      t.is(texts[role], place, `${name}: ${line}`);
      checked++;
    }
  }
  t.is(checked, 10);
});

test("the command lines of the units for etcd, with the settings of their drop-in, are understood", async (t) => {
  const understood: string[] = [];
  for (const name of readdirSync(UNITS).filter((name) =>
    /^backuptool-etcd-.*\.service$/.test(name),
  )) {
    const env = environmentOf(name, {
      m: "MACHINE",
      H: "m1",
      S: "/var/lib",
      d: "/run/credentials",
    });
    for (const line of valuesInUnit(readFileSync(join(UNITS, name), "utf8"), "ExecStart")) {
      if (line.startsWith("+systemctl ")) continue;
      const [, words = ""] = /^(?:flock \S+ )?backuptool (.*)$/.exec(line) ?? [];
      const { command, texts } = await settingsOf(words.split(" "), env);
      understood.push(words);
      if (command === "etcd join") {
        t.deepEqual(texts["name"], "m1");
        t.is(texts["environment-file"], "/var/lib/backuptool-etcd/etcd.env");
      } else t.is(texts["store"], "s3://primary-backups/etcd/MACHINE", words);
    }
  }
  t.deepEqual(understood, [
    "create",
    "etcd join --add-only --replace",
    "etcd join",
    "etcd restore-founder",
    "prune --yes",
    "snapshot prune-incomplete",
  ]);
  const read = valuesInUnit(dropInsOf("etcd.service").join("\n"), "EnvironmentFile");
  t.deepEqual(read, ["-/var/lib/backuptool-etcd/etcd.env"]);
});

/** All objects of the manifests, as parsed YAML. */
const objects = ["secret", "deployment", "cronjob"].flatMap((file) =>
  parseAllDocuments(readFileSync(join(DEPLOY, "kubernetes", `${file}.yaml`), "utf8")).map(
    (document) => document.toJS(),
  ),
);

/** Folders for the volumes of a Pod, with the files that Kubernetes mounts, by the paths in the container. */
function mounted(pod: IPodSpec, container: IContainer): Map<string, string> {
  const folders = new Map<string, string>();
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    const volume = pod.volumes?.find((one) => one.name === name);
    const wanted = volume?.secret?.secretName ?? volume?.configMap?.name;
    const kind = volume?.secret === undefined ? "ConfigMap" : "Secret";
    const source = objects.find((one) => one.kind === kind && one.metadata.name === wanted);
    const folder = join(newFolder(), "volume");
    mkdirSync(folder);
    const files: Readonly<Record<string, string>> = source?.stringData ?? source?.data ?? {};
    for (const [file, text] of Object.entries(files)) {
      writeFileSync(join(folder, file), text, { mode: 0o440 });
    }
    folders.set(mountPath, folder);
  }
  return folders;
}

test("the containers find their stores, credentials and files", async (t) => {
  const pods: readonly IPodSpec[] = objects.flatMap(({ kind, spec }) => {
    if (kind === "Deployment") return [spec.template.spec];
    return kind === "CronJob" ? [spec.jobTemplate.spec.template.spec] : [];
  });
  const commands: string[] = [];
  for (const pod of pods) {
    for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
      const folders = mounted(pod, container);
      const paths = [...folders.keys()].map((path) => path.replaceAll(".", "\\."));
      const mounts = new RegExp(`(?<=^|[= ])(${paths.join("|")})(?=/)`, "gm");
      const inFolders = (text: string): string =>
        text.replace(mounts, (path) => folders.get(path) ?? path);
      const [program, ...words] = (container.command ?? []).map(inFolders);
      t.is(program, "backuptool");
      const env = Object.fromEntries(
        (container.env ?? []).map(({ name, value }) => [name, value && inFolders(value)]),
      );
      const configFile = words.find((word) => word.startsWith("--config="))?.split("=")[1];
      if (configFile !== undefined) {
        // The configuration names files of other volumes.
        writeFileSync(configFile, inFolders(readFileSync(configFile, "utf8")));
      }
      const { command, texts } = await settingsOf(words, env);
      commands.push(command);
      for (const name of ["passphrase-file", "server-token-file", "cacert", "cert", "key"]) {
        if (texts[name] !== undefined)
          t.true(existsSync(texts[name]), `${command}: ${texts[name]}`);
      }
      if (texts["from"] !== "secondary") {
        const { provider, container: bucket, prefix } = storeConfig(texts, "primary", env) ?? {};
        t.deepEqual([provider, bucket, prefix], ["S3", "primary-etcd-backups", "etcd/main"]);
      }
      if (texts["secondary-storage-provider"] === undefined) continue;
      const { provider, container: bucket, prefix } = storeConfig(texts, "secondary", env) ?? {};
      t.deepEqual([provider, bucket, prefix], ["ABS", "secondary-etcd-backups", "etcd/main"]);
    }
  }
  t.deepEqual(commands, ["server", "create", "create", "copy", "prune", "prune", "status"]);
});
