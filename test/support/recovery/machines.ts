import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { dropInsOf, environmentOf, UNITS, valuesInUnit, withSpecifiers } from "../deploy-units.js";
import { newFolder } from "../folders.js";
import { PASSPHRASE, PROGRAM } from "../program/backuptool.js";
import { type Result, runProcess } from "../program/processes.js";
import { EtcdMembers } from "../servers/etcd-members.js";
import type { MemberProcess } from "../servers/member-process.js";
import { machineIds } from "./walks.js";

/**
 * The machines m1 to m6 of docs/etcd-recovery.md. Each has a folder for its own files, and one loopback address; a store
 * is a folder. m1 to m3 are a cluster, m4 to m6 are new. In the place of systemd, the lines of the units are run.
 */
export class Machines {
  readonly etcd: EtcdMembers;
  readonly #root: string;
  readonly #ids = machineIds();
  /** Texts of the page, and what stands for them here. */
  readonly #words: (readonly [RegExp, string])[] = [];

  private constructor(etcd: EtcdMembers, root: string) {
    this.etcd = etcd;
    this.#root = root;
    writeFileSync(
      join(root, "bin", "backuptool"),
      `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`,
    );
    chmodSync(join(root, "bin", "backuptool"), 0o755);
    writeFileSync(join(root, "credentials", "passphrase"), `${PASSPHRASE}\n`);
    for (const { name } of etcd.all) {
      mkdirSync(join(root, name, "var/lib/etcd"), { recursive: true });
      mkdirSync(join(root, name, "var/lib/backuptool-etcd"), { recursive: true });
    }
  }

  /** Starts the cluster of m1, m2 and m3. */
  static async start(): Promise<Machines> {
    const root = newFolder();
    for (const folder of ["bin", "credentials", "store"]) mkdirSync(join(root, folder));
    const etcd = await EtcdMembers.prepare({
      count: 6,
      dataDir: (name) => join(root, name, "var/lib/etcd/default"),
    });
    const machines = new Machines(etcd, root);
    const first = etcd.all.slice(0, 3);
    const cluster = first.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(",");
    for (const member of first) member.launch(["--initial-cluster", cluster]);
    await Promise.all(first.map((member) => member.untilHealthy()));
    return machines;
  }

  /** `text` stands for `meaning` in commands from now on. */
  say(text: RegExp, meaning: string): void {
    this.#words.push([text, meaning]);
  }

  /** Types a command of the page on a machine. */
  async type(machine: string, command: string): Promise<Result> {
    const [program, ...words] = command.split(" ");
    if (program === "systemctl") return await this.#systemctl(machine, words);
    return await this.#run(machine, this.#here(machine, command), {
      BACKUPTOOL_PASSPHRASE: PASSPHRASE,
      BACKUPTOOL_KDF: "low-memory",
    });
  }

  /** URL of the store of a machine. */
  storeOf(machine: string): string {
    return `file://${join(this.#root, "store", "etcd", this.#ids.get(machine) ?? "")}`;
  }

  member(machine: string): MemberProcess {
    return this.etcd.member(Number(machine.slice(1)));
  }

  /** A command of the page with the paths and addresses of the tests. */
  #here(machine: string, text: string): string {
    const { network } = this.etcd;
    return [
      [/(?<![\w/])\/var\/lib\//g, `${join(this.#root, machine)}/var/lib/`] as const,
      [/\b10\.0\.0\./g, network] as const,
      [/s3:\/\/primary-backups\//g, `file://${join(this.#root, "store")}/`] as const,
      ...this.#words,
    ].reduce((all, [word, meaning]) => all.replace(word, meaning), text);
  }

  #run(machine: string, command: string, env: Readonly<Record<string, string>>): Promise<Result> {
    return runProcess("bash", ["-c", command], {
      env: {
        ...env,
        PATH: `${join(this.#root, "bin")}:${process.env["PATH"]}`,
        BACKUPTOOL_STATE_DIR: join(this.#root, machine, "state"),
        BACKUPTOOL_KDF: "low-memory",
        ETCDCTL_API: "3",
      },
    });
  }

  async #systemctl(machine: string, words: readonly string[]): Promise<Result> {
    const [verb, unit = ""] = words.filter((word) => !word.startsWith("--"));
    const member = this.member(machine);
    if (/^etcd(\.service)?$/.test(unit)) {
      if (verb === "stop") await member.stop();
      else if (verb === "start") this.#startEtcd(machine, member);
      else throw new Error(`systemctl ${verb} of etcd is not known to the tests`);
      return SUCCESS;
    }
    if (!existsSync(join(UNITS, unit))) throw new Error(`there is no unit ${unit}`);
    if (unit.endsWith(".timer") && verb === "enable") return SUCCESS;
    if (verb !== "start") throw new Error(`systemctl ${verb} ${unit} is not known to the tests`);
    return await this.#startService(machine, unit);
  }

  async #startService(machine: string, unit: string): Promise<Result> {
    const text = readFileSync(join(UNITS, unit), "utf8");
    const specifiers = {
      m: this.#ids.get(machine) ?? "",
      H: machine,
      S: "/var/lib",
      d: join(this.#root, "credentials"),
    };
    const given = Object.entries(environmentOf(unit, specifiers));
    const env = Object.fromEntries(
      given.map(([name, value]) => [name, this.#here(machine, value)]),
    );
    // What the page says to edit on each machine.
    const number = Number(machine.slice(1));
    const [from, to] = number > 3 ? [3, 6] : [0, 3];
    const all = this.etcd.all.slice(from, to);
    env["BACKUPTOOL_ETCD"] = all.map(({ clientUrl }) => clientUrl).join(",");
    env["BACKUPTOOL_INITIAL_CLUSTER"] = all
      .map(({ name, peerUrl }) => `${name}=${peerUrl}`)
      .join(",");
    env["BACKUPTOOL_INITIAL_ADVERTISE_PEER_URLS"] = this.member(machine).peerUrl;
    // A disk that is lost here is lost for good.
    env["BACKUPTOOL_REPLACE_AFTER"] = "1s";
    for (const line of valuesInUnit(text, "ExecStart")) {
      const command = this.#here(machine, withSpecifiers(line, specifiers)).replace(/^\+/, "");
      const result = command.startsWith("systemctl ")
        ? await this.#systemctl(machine, command.split(" ").slice(1))
        : await this.#run(machine, command, env);
      if (result.code !== 0) return result;
    }
    return SUCCESS;
  }

  #startEtcd(machine: string, member: MemberProcess): void {
    const [file = ""] = valuesInUnit(dropInsOf("etcd.service").join("\n"), "EnvironmentFile");
    const path = this.#here(machine, file.replace(/^-/, ""));
    mkdirSync(dirname(member.dataDir), { recursive: true });
    if (member.isRunning) return;
    if (existsSync(path)) member.launchWith(path);
    else member.launch();
  }
}

const SUCCESS: Result = { code: 0, signal: null, stdout: Buffer.alloc(0), stderr: "" };
