import { errorMessage } from "../../errors.js";
import { type Pin, pinSnapshot } from "../../snapshots/control/pins.js";
import type { Log } from "../log.js";
import type { Sites } from "../sites.js";

/** Keeps the stream that is written, and what it needs, from being deleted at each site. */
export class SitePins {
  readonly #sites: Sites;
  readonly #log: Log;
  #pins: Promise<Pin | undefined>[] = [];

  constructor(sites: Sites, log: Log) {
    this.#sites = sites;
    this.#log = log;
  }

  /** In the background, and in place of the stream before: the newest stream is kept by retention as well. */
  pin(stream: string, signal: AbortSignal): void {
    const before = this.#pins;
    this.#pins = this.#sites.all.map((site) =>
      site
        .run(() => pinSnapshot(site.store, stream, signal))
        .catch((error: unknown) => {
          const reason = errorMessage(error);
          this.#log.debug({ site: site.name, stream, reason }, "A stream has no pin");
          return undefined;
        }),
    );
    void releaseAll(before);
  }

  async release(): Promise<void> {
    const pins = this.#pins;
    this.#pins = [];
    await releaseAll(pins);
  }
}

async function releaseAll(pins: readonly Promise<Pin | undefined>[]): Promise<void> {
  for (const pin of await Promise.all(pins)) await pin?.release();
}
