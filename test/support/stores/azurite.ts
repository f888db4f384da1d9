import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ContainerClient, StorageSharedKeyCredential } from "@azure/storage-blob";
import { freePort } from "../servers/etcd-server.js";
import { newFolder } from "../folders.js";

const PROGRAM = fileURLToPath(
  new URL("../../../../node_modules/.bin/azurite-blob", import.meta.url),
);

const ALWAYS_OPEN = new URL("./always-open.js", import.meta.url).href;
const MOST_START_MS = 120_000;

/** Microsoft's emulator of Blob Storage, on a free port. */
export class Azurite {
  readonly account = "testaccount";
  readonly key = Buffer.from("a key for this test run alone").toString("base64");
  readonly endpoint: string;
  readonly #process: ChildProcess;

  private constructor(port: number) {
    this.endpoint = `http://127.0.0.1:${port}/${this.account}`;
    const args = ["--location", newFolder(), "--blobHost", "127.0.0.1", "--blobPort", `${port}`];
    // The account is in the path, whatever the host name.
    const flags = ["--silent", "--skipApiVersionCheck", "--disableProductStyleUrl"];
    this.#process = spawn(PROGRAM, [...args, ...flags], {
      stdio: "ignore",
      env: {
        ...process.env,
        AZURITE_ACCOUNTS: `${this.account}:${this.key}`,
        NODE_OPTIONS: `--import ${ALWAYS_OPEN}`,
      },
    });
  }

  static async start(): Promise<Azurite> {
    const azurite = new Azurite(await freePort());
    const begun = performance.now();
    while (performance.now() - begun < MOST_START_MS) {
      try {
        await fetch(azurite.endpoint);
        return azurite;
      } catch {
        if (azurite.#process.exitCode !== null) break;
        await sleep(50);
      }
    }
    azurite.stop();
    throw new Error("azurite does not start");
  }

  stop(): void {
    this.#process.kill("SIGKILL");
  }

  /** A client of the SDK, for calls that a store does not have. */
  async newContainer(name: string): Promise<ContainerClient> {
    const credential = new StorageSharedKeyCredential(this.account, this.key);
    const client = new ContainerClient(`${this.endpoint}/${name}`, credential);
    await client.create();
    return client;
  }
}
