import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AbsStore } from "../../../src/snapstore/abs/store.js";
import { LocalStore } from "../../../src/snapstore/local/store.js";
import { RcloneStore } from "../../../src/snapstore/rclone/store.js";
import { S3Store } from "../../../src/snapstore/s3/store.js";
import type { SnapStore } from "../../../src/snapstore/store.js";
import { SwiftStore } from "../../../src/snapstore/swift/store.js";
import { Azurite } from "./azurite.js";
import { env } from "../program/backuptool.js";
import { newFolder } from "../folders.js";
import { newBucket, s3Config } from "./s3-buckets.js";
import { newSwiftContainer } from "./swift-auth.js";

/** Stores on real servers, each empty and with its own prefix. */
export class EveryStore {
  readonly #azurite: Azurite;
  readonly #opened: SnapStore[] = [];

  private constructor(azurite: Azurite) {
    this.#azurite = azurite;
  }

  static async start(): Promise<EveryStore> {
    return new EveryStore(await Azurite.start());
  }

  async stop(): Promise<void> {
    await Promise.all(this.#opened.map((store) => store.close()));
    this.#azurite.stop();
  }

  local(folder = newFolder()): SnapStore {
    return this.#keep(new LocalStore({ provider: "Local", container: folder, prefix: "" }));
  }

  async s3(prefix = "p/v2"): Promise<{ store: SnapStore; bucket: string }> {
    const bucket = await newBucket();
    return { store: this.#keep(new S3Store(s3Config(bucket, { prefix }))), bucket };
  }

  async swift(prefix = "p/v2"): Promise<{ store: SnapStore; container: string }> {
    const container = `test-${randomBytes(8).toString("hex")}`;
    await newSwiftContainer(container);
    const [url, user, key] = [env("SWIFT_AUTH"), env("SWIFT_USER"), env("SWIFT_KEY")];
    const auth = { kind: "v1", url, user, key } as const;
    const store = new SwiftStore({ provider: "Swift", container, prefix, auth });
    return { store: this.#keep(store), container };
  }

  async abs(prefix = "p/v2") {
    const name = `test-${randomBytes(8).toString("hex")}`;
    const client = await this.#azurite.newContainer(name);
    const { account, key, endpoint } = this.#azurite;
    const credentials = { kind: "shared-key", account, key } as const;
    const store = new AbsStore({ provider: "ABS", container: name, prefix, endpoint, credentials });
    return { store: this.#keep(store), client };
  }

  /** A folder through rclone. */
  rclone(folder = newFolder()): SnapStore {
    const configFile = join(newFolder(), "rclone.conf");
    writeFileSync(configFile, "[disk]\ntype = local\n");
    const container = `disk:${folder}`;
    return this.#keep(new RcloneStore({ provider: "Rclone", container, prefix: "", configFile }));
  }

  async all(): Promise<Record<string, SnapStore>> {
    return {
      Local: this.local(),
      S3: (await this.s3()).store,
      Swift: (await this.swift()).store,
      ABS: (await this.abs()).store,
      Rclone: this.rclone(),
    };
  }

  #keep<S extends SnapStore>(store: S): S {
    this.#opened.push(store);
    return store;
  }
}
